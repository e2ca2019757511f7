package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clientele-crm/clientele/core/tenant"
)

func newTenantCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tenant",
		Short: "Create, list, suspend and resume tenants, as the operator",
	}
	cmd.AddCommand(newTenantCreateCommand(s), newTenantListCommand(s),
		newTenantStatusCommand(s, "suspend", "Suspend a tenant: nobody enters, nothing is accepted or synced, nothing is lost"),
		newTenantStatusCommand(s, "resume", "Let a suspended tenant work again"))
	return cmd
}

func newTenantCreateCommand(s *settings) *cobra.Command {
	var name, region, timezone, admin string
	cmd := &cobra.Command{
		Use:   "create SLUG",
		Short: "Create a tenant and print the one-time link for its first admin",
		Example: `  clientele tenant create acme --name "Acme Inc" --region US --timezone America/New_York --admin ann@acme.com
  clientele tenant create acme --json`,
		Args: exactly(1, "the tenant's short name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			if name == "" {
				name = args[0]
			}
			var t tenant.Tenant
			err = b.call(cmd.Context(), "POST", "/v1/tenants", map[string]string{
				"slug": args[0], "name": name, "region": region, "timezone": timezone,
			}, &t)
			if err != nil {
				return err
			}
			out := struct {
				tenant.Tenant
				Link string `json:"login_link,omitempty"`
			}{Tenant: t}
			if admin != "" {
				var link struct {
					Path string `json:"path"`
				}
				if err := b.call(cmd.Context(), "POST", "/v1/tenants/"+args[0]+"/login-links", map[string]string{"email": admin}, &link); err != nil {
					return err
				}
				out.Link = s.address() + link.Path
			}
			if s.json {
				return printJSON(os.Stdout, out)
			}
			fmt.Fprintf(os.Stdout, "tenant %s created\n", t.Slug)
			if out.Link != "" {
				fmt.Fprintf(os.Stdout, "%s enters once by %s\n", admin, out.Link)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the tenant's `name`; default: the short name")
	cmd.Flags().StringVar(&region, "region", "US", "ISO 3166 `country` for numbers written without one")
	cmd.Flags().StringVar(&timezone, "timezone", "UTC", "IANA time `zone`")
	cmd.Flags().StringVar(&admin, "admin", "", "`email` of the first admin; prints a one-time link to enter by")
	return cmd
}

func newTenantListCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all tenants", Args: exactly(0, "nothing"),
		Example: "  clientele tenant list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			var list struct {
				Tenants []tenant.Tenant `json:"tenants"`
			}
			if err := b.call(cmd.Context(), "GET", "/v1/tenants", nil, &list); err != nil {
				return err
			}
			if s.json {
				return printJSON(os.Stdout, list)
			}
			rows := make([][]string, len(list.Tenants))
			for i, t := range list.Tenants {
				rows[i] = []string{t.Slug, t.Name, t.Region, t.Timezone, string(t.Status), t.CreatedAt.Format("2006-01-02")}
			}
			return table(os.Stdout, []string{"SLUG", "NAME", "REGION", "TIME ZONE", "STATUS", "CREATED"}, rows)
		},
	}
}

func newTenantStatusCommand(s *settings, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SLUG", Short: short, Args: exactly(1, "the tenant's short name"),
		Example: "  clientele tenant " + verb + " acme",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.open(cmd.Context(), "")
			if err != nil {
				return err
			}
			defer b.close()
			return b.call(cmd.Context(), "POST", "/v1/tenants/"+args[0]+"/"+verb, nil, nil)
		},
	}
}

// address is where people reach the host's pages.
func (s *settings) address() string {
	if s.url != "" {
		return strings.TrimSuffix(s.url, "/")
	}
	c, err := s.load()
	switch {
	case err != nil:
		return ""
	case c.Server.PublicURL != "":
		return strings.TrimSuffix(c.Server.PublicURL, "/")
	default:
		return "http://" + c.HTTP.Listen
	}
}

// exactly is an argument check that says what is wanted.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return &codedError{exitUsage, fmt.Errorf("got %d arguments, want %d: %s", len(args), n, what)}
		}
		return nil
	}
}
