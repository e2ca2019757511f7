package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

// editFlags are what create and edit take.
type editFlags struct {
	set                []string
	email, phone, note string
	tags               []string
	share              bool
}

func (e *editFlags) on(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&e.set, "set", nil, "give a field a value, as `field=value`; an empty value clears; may be given again")
	cmd.Flags().StringVar(&e.email, "email", "", "the primary `address`")
	cmd.Flags().StringVar(&e.phone, "phone", "", "the primary `number`")
	cmd.Flags().StringSliceVar(&e.tags, "tag", nil, "all `tags`, in place of the present ones")
	cmd.Flags().StringVar(&e.note, "note", "", "add a `note`")
	cmd.Flags().BoolVar(&e.share, "share", false, "if another client has the email or phone, mark it as shared on both")
}

// edit is the API's body: only what was given, so that the rest stays.
func (e *editFlags) edit(cmd *cobra.Command) (api.ClientEdit, error) {
	edit := api.ClientEdit{Fields: api.Fields{}, Share: e.share, Note: e.note}
	for _, text := range e.set {
		field, value, ok := strings.Cut(text, "=")
		if !ok {
			return edit, &codedError{exitUsage, fmt.Errorf("--set %q: write field=value, such as city=Oslo", text)}
		}
		edit.Fields[field] = value
	}
	if cmd.Flags().Changed("email") {
		edit.Email = &e.email
	}
	if cmd.Flags().Changed("phone") {
		edit.Phone = &e.phone
	}
	if cmd.Flags().Changed("tag") {
		edit.Tags = &e.tags
	}
	return edit, nil
}

func (c *clientCommands) create() *cobra.Command {
	var flags editFlags
	cmd := &cobra.Command{
		Use: "create", Short: "Create a client; who it may be already is said on stderr", Args: exactly(0, "nothing"),
		Example: `  clientele client create --tenant acme --set first_name=Lea --set last_name=Lund --email lea@lund.example`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			edit, err := flags.edit(cmd)
			if err != nil {
				return err
			}
			var likely struct {
				Similar []api.SimilarClient `json:"similar"`
			}
			if err := c.ask(cmd, "POST", "/v1/clients/duplicates", edit, &likely); err != nil {
				return err
			}
			for _, s := range likely.Similar {
				fmt.Fprintf(os.Stderr, "maybe the same: %s (%s): %s\n", s.Client.Name, s.Client.ID, joined(s.Reasons))
			}
			return c.write(cmd, "POST", "/v1/clients", edit, "created")
		},
	}
	flags.on(cmd)
	return cmd
}

func (c *clientCommands) edit() *cobra.Command {
	var flags editFlags
	cmd := &cobra.Command{
		Use: "edit ID", Short: "Change some of a client's values", Args: exactly(1, "the id of a client"),
		Example: `  clientele client edit --tenant acme 0198c0de-0000-7000-8000-000000000000 --set city=Oslo --note "moved in May"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			edit, err := flags.edit(cmd)
			if err != nil {
				return err
			}
			return c.write(cmd, "PATCH", "/v1/clients/"+url.PathEscape(args[0]), edit, "changed")
		},
	}
	flags.on(cmd)
	return cmd
}

func (c *clientCommands) write(cmd *cobra.Command, method, path string, edit api.ClientEdit, done string) error {
	var written api.Client
	if err := c.ask(cmd, method, path, edit, &written); err != nil {
		return err
	}
	if c.json {
		return printJSON(os.Stdout, written)
	}
	fmt.Fprintf(os.Stdout, "%s %s (%s), revision %d\n", done, written.Name, written.ID, written.Revision)
	return nil
}

func (c *clientCommands) remove() *cobra.Command {
	reason := ""
	cmd := c.act(action{
		use: "delete ID", short: "Delete a client; it can be restored", args: 1, what: "the id of a client",
		example: "client delete --tenant acme --reason spam 0198c0de-0000-7000-8000-000000000000",
		call: func(args []string) request {
			return request{method: "DELETE", path: "/v1/clients/" + args[0] + "?reason=" + url.QueryEscape(reason)}
		},
		said: "deleted; client restore brings it back",
	})
	cmd.Flags().StringVar(&reason, "reason", "mistake", "`mistake`, or spam: its identifiers create no client any more")
	return cmd
}

func (c *clientCommands) restore() *cobra.Command {
	merge := false
	cmd := c.act(action{
		use: "restore ID", short: "Bring a deleted client back", args: 1, what: "the id of a client",
		example: "client restore --tenant acme 0198c0de-0000-7000-8000-000000000000",
		call: func(args []string) request {
			return request{method: "POST", path: fmt.Sprintf("/v1/clients/%s/restore?merge=%t", args[0], merge)}
		},
		said: "restored",
	})
	cmd.Flags().BoolVar(&merge, "merge", false, "if a newer client has one of its identifiers, join the two")
	return cmd
}

func (c *clientCommands) note() *cobra.Command {
	return &cobra.Command{
		Use: "note ID TEXT", Short: "Write a note on a client", Args: exactly(2, "the id of a client and the note"),
		Example: `  clientele client note --tenant acme 0198c0de-0000-7000-8000-000000000000 "prefers mornings"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var written client.Note
			if err := c.ask(cmd, "POST", "/v1/clients/"+url.PathEscape(args[0])+"/notes", api.NoteText{Text: args[1]}, &written); err != nil {
				return err
			}
			if c.json {
				return printJSON(os.Stdout, written)
			}
			fmt.Fprintln(os.Stdout, "noted")
			return nil
		},
	}
}

func (c *clientCommands) identifier() *cobra.Command {
	cmd := &cobra.Command{Use: "identifier", Short: "Give a client one more email, phone or external id, or take one away"}
	var primary, share bool
	add := &cobra.Command{
		Use: "add ID KIND VALUE", Short: "Give a client one more identifier", Args: exactly(3, "the id of a client, email, phone or external, and the value"),
		Example: "  clientele client identifier add --tenant acme 0198c0de-0000-7000-8000-000000000000 phone +14165550100 --primary",
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"kind": args[1], "value": args[2], "primary": primary, "share": share}
			var changed api.Client
			if err := c.ask(cmd, "POST", "/v1/clients/"+url.PathEscape(args[0])+"/identifiers", body, &changed); err != nil {
				return err
			}
			return c.printIdentifiers(changed)
		},
	}
	add.Flags().BoolVar(&primary, "primary", false, "make it the primary one of its kind")
	add.Flags().BoolVar(&share, "share", false, "if another client has it, mark it as shared on both")
	drop := c.act(action{
		use: "drop ID IDENTIFIER", short: "Take an identifier away", args: 2, what: "the id of a client and of its identifier",
		example: "client identifier drop --tenant acme 0198c0de-0000-7000-8000-000000000000 0198c0de-0000-7000-8000-000000000001",
		call: func(args []string) request {
			return request{method: "DELETE", path: "/v1/clients/" + args[0] + "/identifiers/" + args[1]}
		},
		said: "taken away",
	})
	cmd.AddCommand(add, c.changeIdentifier(), drop)
	return cmd
}

func (c *clientCommands) changeIdentifier() *cobra.Command {
	var primary, shared, verified bool
	cmd := &cobra.Command{
		Use: "change ID IDENTIFIER", Short: "Make an identifier primary, shared or verified", Args: exactly(2, "the id of a client and of its identifier"),
		Example: "  clientele client identifier change --tenant acme 0198c0de-0000-7000-8000-000000000000 0198c0de-0000-7000-8000-000000000001 --shared=false",
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			for name, value := range map[string]bool{"primary": primary, "shared": shared, "verified": verified} {
				if cmd.Flags().Changed(name) {
					body[name] = value
				}
			}
			var changed api.Client
			if err := c.ask(cmd, "PATCH", "/v1/clients/"+url.PathEscape(args[0])+"/identifiers/"+url.PathEscape(args[1]), body, &changed); err != nil {
				return err
			}
			return c.printIdentifiers(changed)
		},
	}
	cmd.Flags().BoolVar(&primary, "primary", false, "make it the primary one of its kind")
	cmd.Flags().BoolVar(&shared, "shared", false, "whether several people use it")
	cmd.Flags().BoolVar(&verified, "verified", false, "whether it was proved to be the client's")
	return cmd
}

func (c *clientCommands) printIdentifiers(of api.Client) error {
	if c.json {
		return printJSON(os.Stdout, of)
	}
	rows := make([][]string, len(of.Identifiers))
	for i, id := range of.Identifiers {
		rows[i] = []string{id.ID.String(), string(id.Kind), id.Value + marks(id), string(id.Source)}
	}
	return table(os.Stdout, []string{"ID", "KIND", "VALUE", "SOURCE"}, rows)
}
