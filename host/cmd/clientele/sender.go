package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/host/channel/sender"
)

func newSenderCommand(s *settings) *cobra.Command {
	c := &senderCommands{clientCommands{settings: s}}
	cmd := &cobra.Command{Use: "sender", Short: "Say how a tenant sends mail, SMS and chat"}
	cmd.PersistentFlags().StringVar(&c.tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	cmd.AddCommand(c.list(), c.set(), c.remove())
	return cmd
}

// senderCommands are the commands below sender.
type senderCommands struct{ clientCommands }

func (c *senderCommands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List how the tenant sends on each channel", Args: exactly(0, "nothing"),
		Example: "  clientele sender list --tenant acme",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct {
				Senders []sender.Configured `json:"senders"`
			}
			if err := c.ask(cmd, "GET", "/v1/senders", nil, &list); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, list)
			}
			return c.print(list.Senders)
		},
	}
}

func (c *senderCommands) set() *cobra.Command {
	var settings sender.Settings
	var smtp sender.SMTPSettings
	var hook sender.WebhookSettings
	secretFile := ""
	cmd := &cobra.Command{
		Use: "set CHANNEL", Short: "Let the tenant send on email, sms or chat", Args: exactly(1, "the channel: email, sms or chat"),
		Long: `Mail goes over SMTP (--smtp-host) or, as SMS and chat, to a gateway that takes
signed requests (--webhook). The secret, a mail server's password or the key that
signs, is read from a file and never shown again.`,
		Example: `  clientele sender set email --tenant acme --from support@acme.example --smtp-host smtp.example.com --smtp-user acme --secret-file password
  clientele sender set sms --tenant acme --from +14165550199 --webhook https://gateway.example.com/sms --idempotent --secret-file key`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if smtp.Host != "" {
				settings.SMTP = &smtp
			}
			if hook.URL != "" {
				settings.Webhook = &hook
			}
			body := struct {
				sender.Settings
				Secret *string `json:"secret,omitempty"`
			}{Settings: settings}
			if secretFile != "" {
				secret, err := os.ReadFile(secretFile)
				if err != nil {
					return &codedError{exitUsage, fmt.Errorf("--secret-file: %w", err)}
				}
				text := strings.TrimSpace(string(secret))
				body.Secret = &text
			}
			var made sender.Configured
			if err := c.ask(cmd, "PUT", "/v1/senders/"+url.PathEscape(args[0]), body, &made); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, made)
			}
			return c.print([]sender.Configured{made})
		},
	}
	f := cmd.Flags()
	f.StringVar(&settings.From, "from", "", "our `address`, number, or for chat a name")
	f.StringVar(&settings.Name, "name", "", "the `name` that stands before an email address")
	f.StringVar(&smtp.Host, "smtp-host", "", "the mail server's `name`")
	f.IntVar(&smtp.Port, "smtp-port", 0, "the mail server's `port`; 0 for the usual one")
	f.StringVar(&smtp.TLS, "smtp-tls", "", "starttls (the default), implicit or none")
	f.StringVar(&smtp.Username, "smtp-user", "", "`name` to sign in with")
	f.StringVar(&hook.URL, "webhook", "", "the gateway's `address`")
	f.BoolVar(&hook.Idempotent, "idempotent", false, "the gateway honours Idempotency-Key: what may have been sent is sent again")
	f.StringVar(&secretFile, "secret-file", "", "`file` with the secret")
	return cmd
}

func (c *senderCommands) remove() *cobra.Command {
	return &cobra.Command{
		Use: "remove CHANNEL", Short: "Take a channel's sender away; messages wait until there is one again", Args: exactly(1, "the channel: email, sms or chat"),
		Example: "  clientele sender remove --tenant acme sms",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd, "DELETE", "/v1/senders/"+url.PathEscape(args[0]), nil, nil)
		},
	}
}

func (c *senderCommands) print(senders []sender.Configured) error {
	rows := make([][]string, len(senders))
	for i, s := range senders {
		to := ""
		if s.SMTP != nil {
			to = fmt.Sprintf("smtp %s:%d, %s", s.SMTP.Host, s.SMTP.Port, s.SMTP.TLS)
		} else if s.Webhook != nil {
			to = "webhook " + s.Webhook.URL
		}
		again := "no"
		if s.Idempotent {
			again = "yes"
		}
		rows[i] = []string{s.Channel, s.From, to, again, s.ChangedBy}
	}
	return table(os.Stdout, []string{"CHANNEL", "FROM", "THROUGH", "IDEMPOTENT", "CHANGED BY"}, rows)
}
