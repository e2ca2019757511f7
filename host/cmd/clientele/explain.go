package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/match"
)

// explained is what the API tells of a conversation.
type explained struct {
	Conversation conversation.Conversation `json:"conversation"`
	Messages     []conversation.Message    `json:"messages"`
	Runs         []conversation.Run        `json:"runs"`
}

// decided is the stored proof of a link (R199).
type decided struct {
	Decision   match.Decision     `json:"decision"`
	Own        []match.Identifier `json:"own"`
	Stated     []match.Identifier `json:"stated"`
	Candidates []match.Candidate  `json:"candidates"`
}

func newExplainCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{
		Use:   "explain CONVERSATION",
		Short: "Tell why a conversation is, or is not, linked to a client",
		Long: `Prints for each message of the conversation the identifiers that were seen, the
clients that hold them, and the rule that decided.`,
		Example: "  clientele explain --tenant acme 0198c0de-0000-7000-8000-000000000000",
		Args:    exactly(1, "the conversation's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.open(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			defer b.close()
			var e explained
			if err := b.call(cmd.Context(), "GET", "/v1/conversations/"+args[0], nil, &e); err != nil {
				return err
			}
			if s.json {
				return printJSON(os.Stdout, e)
			}
			return e.print(os.Stdout)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	return cmd
}

func (e explained) print(w io.Writer) error {
	c := e.Conversation
	link := "linked to no client"
	if c.ClientID.Valid {
		link = fmt.Sprintf("linked to client %s by %s", c.ClientID.UUID, c.LinkMethod)
		if !c.LinkCertain {
			link += ", uncertain until somebody confirms it"
		}
	}
	fmt.Fprintf(w, "%s conversation %s, %d messages\n%s: %s\n", c.Channel, c.ID, c.MessageCount, link, c.LinkReason)
	for _, run := range e.Runs {
		var d decided
		if err := json.Unmarshal(run.Decision, &d); err != nil {
			return fmt.Errorf("read the decision on message %s: %w", run.MessageID, err)
		}
		fmt.Fprintf(w, "\nmessage %s\n  proved by the channel: %s\n  said to be his own:    %s\n  candidates:            %s\n  decided:               %s, by the rule %q: %s\n",
			run.MessageID, identifiers(d.Own), identifiers(d.Stated), candidates(d.Candidates), d.Decision.Action, d.Decision.Rule, d.Decision.Reason)
		if err := printAdvice(w, run); err != nil {
			return err
		}
	}
	return nil
}

// printAdvice tells what the tenant's AI endpoint said of a run, if it was asked.
func printAdvice(w io.Writer, run conversation.Run) error {
	var a *intake.Advice
	if len(run.Advice) > 0 {
		if err := json.Unmarshal(run.Advice, &a); err != nil {
			return fmt.Errorf("read the advice on message %s: %w", run.MessageID, err)
		}
	}
	if a == nil {
		return nil
	}
	said := string(a.State)
	if a.Error != "" {
		said += ": " + a.Error
	}
	fmt.Fprintf(w, "  second opinion:        %s, model %s\n", said, a.Model)
	for _, r := range a.Rulings {
		fmt.Fprintf(w, "    %-8s %s %q: %s\n", r.Outcome, r.Finding.Field, r.Finding.Value, r.Reason)
	}
	return nil
}

func identifiers(ids []match.Identifier) string {
	said := make([]string, len(ids))
	for i, id := range ids {
		said[i] = id.Kind + " " + id.Normal
	}
	return orNone(said)
}

func candidates(found []match.Candidate) string {
	said := make([]string, len(found))
	for i, c := range found {
		said[i] = c.ID.String()
		if c.Deleted != "" {
			said[i] += " (deleted: " + c.Deleted + ")"
		}
	}
	return orNone(said)
}

func orNone(said []string) string {
	if len(said) == 0 {
		return "none"
	}
	return strings.Join(said, ", ")
}
