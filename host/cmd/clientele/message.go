package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/intake"
)

func newMessageCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{Use: "message", Short: "List accepted messages that could not be processed, and replay them"}
	cmd.PersistentFlags().StringVar(&tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(&cobra.Command{
		Use: "failed", Short: "List messages that wait for a replay", Args: exactly(0, "nothing"),
		Example: "  clientele message failed --tenant acme",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := s.open(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			defer b.close()
			var list struct {
				Messages []intake.Failure `json:"messages"`
			}
			if err := b.call(cmd.Context(), "GET", "/v1/messages/failed", nil, &list); err != nil {
				return err
			}
			if s.json {
				return printJSON(os.Stdout, list)
			}
			rows := make([][]string, len(list.Messages))
			for i, m := range list.Messages {
				rows[i] = []string{m.ID.String(), m.Channel, m.ReceivedAt.Format("2006-01-02 15:04"), fmt.Sprint(m.Attempts), m.Error}
			}
			return table(os.Stdout, []string{"ID", "CHANNEL", "RECEIVED", "ATTEMPTS", "ERROR"}, rows)
		},
	}, &cobra.Command{
		Use: "replay ID", Short: "Process a message again", Args: exactly(1, "the id of an accepted message"),
		Example: "  clientele message replay --tenant acme 0198c0de-0000-7000-8000-000000000000",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.open(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			defer b.close()
			line := ingested{Name: args[0]}
			if err := b.call(cmd.Context(), "POST", "/v1/messages/"+args[0]+"/replay", nil, &line.Result); err != nil {
				return err
			}
			if err := s.printIngested(line); err != nil {
				return err
			}
			if line.State != "done" {
				return &codedError{code: exitPartly}
			}
			return nil
		},
	})
	return cmd
}
