package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/event"
)

func newAuditCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Prove that a tenant's audit is whole"}
	cmd.AddCommand(newAuditVerifyCommand(s))
	return cmd
}

func newAuditVerifyCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every event of a tenant against the seals",
		Long: `Checks every event against its digest, every digest against its seal, and every
seal against the one before. Prints the digest of the last seal: kept elsewhere, it
proves later that the whole chain is still the same. Exits with an error when
something was changed, taken away or slipped in.`,
		Example: "  clientele audit verify --tenant acme",
		Args:    exactly(0, "nothing"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := s.open(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			defer b.close()
			var proof event.Proof
			if err := b.call(cmd.Context(), "GET", "/v1/audit/proof", nil, &proof); err != nil {
				return err
			}
			if s.json {
				if err := printJSON(os.Stdout, proof); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(os.Stdout, "%d seals over %d events, %d waiting, %d erased\nlast seal %s\n", proof.Seals, proof.Events, proof.Waiting, proof.Erased, proof.Digest)
				for _, sentence := range proof.Broken {
					fmt.Fprintln(os.Stdout, sentence)
				}
			}
			if len(proof.Broken) > 0 {
				return errors.New("the audit is broken")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	return cmd
}
