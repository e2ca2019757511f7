package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/extract"
)

// newExtractCommand tries extraction on messages without a tenant or a host.
func newExtractCommand() *cobra.Command {
	options := extract.LineOptions{}
	cmd := &cobra.Command{
		Use:   "extract",
		Short: "Read contact data out of messages given as JSON lines",
		Long: `Extract reads one message a line from standard input, as JSON:

  {"id","channel","headers","subject","text","html","region","identifier",
   "direction","turns":[{"role","text"}],"context"}

and writes one line of findings each, in the same order: emails, phones (E.164),
names, companies, addresses, birth dates, and "suggested" with the same fields for
what is less sure. A line that can't be read is answered with its number and the
reason, and the rest goes on; the exit code is then 4.`,
		Example: `  echo '{"id":1,"channel":"sms","text":"Ann Lee here, call 416-555-0199"}' | clientele extract --region CA
  clientele extract --explain < messages.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			region := strings.ToUpper(options.Settings.Region)
			if len(region) != 0 && len(region) != 2 {
				return &codedError{exitUsage, fmt.Errorf("--region: must be a country code of two letters, as in US")}
			}
			options.Settings.Region = region
			return extractLines(cmd, options)
		},
	}
	cmd.Flags().StringVar(&options.Settings.Region, "region", "", "`country` assumed for numbers and addresses of lines that name none, as in US")
	cmd.Flags().BoolVar(&options.Explain, "explain", false, "add every candidate with its place, detector, confidence and reason")
	return cmd
}

// extractLines runs until the input ends or the command is interrupted, which
// a blocked read would not notice.
func extractLines(cmd *cobra.Command, options extract.LineOptions) error {
	type outcome struct {
		bad int
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		bad, err := extract.Lines(cmd.InOrStdin(), cmd.OutOrStdout(), options)
		done <- outcome{bad, err}
	}()
	select {
	case <-cmd.Context().Done():
		return cmd.Context().Err()
	case o := <-done:
		if o.err != nil {
			return o.err
		}
		if o.bad > 0 {
			return &codedError{exitPartly, fmt.Errorf("%d lines could not be read; their answers say why", o.bad)}
		}
		return nil
	}
}
