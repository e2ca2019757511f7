package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/intake"
)

// Routes is the table of the API: every endpoint, and what the caller must be
// allowed to do. Tests for roles, scopes and tenants are made from it, so a new
// row brings them along.
func Routes() []Route {
	return []Route{
		handle(Route{ID: "push-message", Method: "POST", Path: "/v1/messages", Tag: "Messages", Needs: actor.SendMessages,
			Summary: "Push a message of any channel, as JSON or as a raw mail",
			limits:  map[string]int64{mailType: intake.MaxBytes, jsonType: jsonMessageLimit}, deadline: time.Minute}, (*server).pushMessage),
		handle(Route{ID: "list-failed-messages", Method: "GET", Path: "/v1/messages/failed", Tag: "Messages", Needs: actor.SeeClients,
			Summary: "List messages that were accepted but could not be processed"}, (*server).listFailed),
		handle(Route{ID: "replay-message", Method: "POST", Path: "/v1/messages/{id}/replay", Tag: "Messages", Needs: actor.SendMessages,
			Summary: "Process a failed message again", deadline: time.Minute}, (*server).replayMessage),

		handle(Route{ID: "list-clients", Method: "GET", Path: "/v1/clients", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List clients, newest first, or search them"}, (*server).listClients),
		handle(Route{ID: "create-client", Method: "POST", Path: "/v1/clients", Tag: "Clients", Needs: actor.EditClients,
			Summary: "Create a client", status: http.StatusCreated}, (*server).createClient),
		handle(Route{ID: "get-client", Method: "GET", Path: "/v1/clients/{id}", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "Read a client; the id of a merged one leads to the survivor"}, (*server).getClient),
		handle(Route{ID: "update-client", Method: "PATCH", Path: "/v1/clients/{id}", Tag: "Clients", Needs: actor.EditClients,
			Summary: "Change some of a client's values; send If-Match to be told when somebody was faster"}, (*server).updateClient),
		handle(Route{ID: "list-client-conversations", Method: "GET", Path: "/v1/clients/{id}/conversations", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List a client's conversations, the latest first"}, (*server).listClientConversations),
		handle(Route{ID: "list-client-timeline", Method: "GET", Path: "/v1/clients/{id}/timeline", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List all that happened to a client, newest first"}, (*server).listTimeline),
		handle(Route{ID: "get-client-crm", Method: "GET", Path: "/v1/clients/{id}/crm", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "Read why the client is, or isn't, in each connected CRM"}, (*server).clientCRM),

		handle(Route{ID: "delete-client", Method: "DELETE", Path: "/v1/clients/{id}", Tag: "Clients", Needs: actor.DeleteClients,
			Summary: "Delete a client; it can be restored", status: http.StatusNoContent}, (*server).deleteClient),
		handle(Route{ID: "restore-client", Method: "POST", Path: "/v1/clients/{id}/restore", Tag: "Clients", Needs: actor.DeleteClients,
			Summary: "Bring a deleted client back"}, (*server).restoreClient),
		handle(Route{ID: "list-deleted-clients", Method: "GET", Path: "/v1/clients/deleted", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List deleted clients, the last deleted first"}, (*server).listDeleted),
		handle(Route{ID: "list-suppressions", Method: "GET", Path: "/v1/suppressions", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List identifiers that create no client, since theirs was spam"}, (*server).listSuppressions),
		handle(Route{ID: "lift-suppression", Method: "POST", Path: "/v1/suppressions/lift", Tag: "Clients", Needs: actor.DeleteClients,
			Summary: "Let an identifier create clients again", status: http.StatusNoContent}, (*server).liftSuppression),
		handle(Route{ID: "list-notes", Method: "GET", Path: "/v1/clients/{id}/notes", Tag: "Notes", Needs: actor.SeeClients,
			Summary: "List a client's notes"}, (*server).listNotes),
		handle(Route{ID: "add-note", Method: "POST", Path: "/v1/clients/{id}/notes", Tag: "Notes", Needs: actor.EditClients,
			Summary: "Write a note", status: http.StatusCreated}, (*server).addNote),
		handle(Route{ID: "edit-note", Method: "PATCH", Path: "/v1/clients/{id}/notes/{note}", Tag: "Notes", Needs: actor.EditClients,
			Summary: "Change a note's text"}, (*server).editNote),
		handle(Route{ID: "delete-note", Method: "DELETE", Path: "/v1/clients/{id}/notes/{note}", Tag: "Notes", Needs: actor.EditClients,
			Summary: "Take a note away; its text stays in the timeline", status: http.StatusNoContent}, (*server).deleteNote),
		handle(Route{ID: "add-identifier", Method: "POST", Path: "/v1/clients/{id}/identifiers", Tag: "Identifiers", Needs: actor.EditClients,
			Summary: "Give a client one more email, phone or external id", status: http.StatusCreated}, (*server).addIdentifier),
		handle(Route{ID: "change-identifier", Method: "PATCH", Path: "/v1/clients/{id}/identifiers/{identifier}", Tag: "Identifiers", Needs: actor.EditClients,
			Summary: "Make an identifier primary, shared or verified"}, (*server).changeIdentifier),
		handle(Route{ID: "drop-identifier", Method: "DELETE", Path: "/v1/clients/{id}/identifiers/{identifier}", Tag: "Identifiers", Needs: actor.EditClients,
			Summary: "Take an identifier away"}, (*server).dropIdentifier),
		handle(Route{ID: "list-crowded-identifiers", Method: "GET", Path: "/v1/identifiers/crowded", Tag: "Identifiers", Needs: actor.SeeClients,
			Summary: "List addresses and numbers that more than 50 clients have"}, (*server).listCrowded),
		handle(Route{ID: "list-sources", Method: "GET", Path: "/v1/clients/{id}/sources", Tag: "Clients", Needs: actor.SeeClients,
			Summary: "List where each of a client's values comes from"}, (*server).listSources),

		handle(Route{ID: "merge-clients", Method: "POST", Path: "/v1/merges", Tag: "Merges", Needs: actor.MergeClients, Also: actor.SeeClients,
			Summary: "Make one client of several; it can be undone for 30 days", status: http.StatusCreated}, (*server).merge),
		handle(Route{ID: "preview-merge", Method: "POST", Path: "/v1/merges/preview", Tag: "Merges", Needs: actor.MergeClients, Also: actor.SeeClients,
			Summary: "Say what a merge would do, and change nothing"}, (*server).previewMerge),
		handle(Route{ID: "undo-merge", Method: "POST", Path: "/v1/merges/{id}/undo", Tag: "Merges", Needs: actor.MergeClients, Also: actor.SeeClients,
			Summary: "Split what a merge joined"}, (*server).undoMerge),
		handle(Route{ID: "list-merges", Method: "GET", Path: "/v1/clients/{id}/merges", Tag: "Merges", Needs: actor.SeeClients,
			Summary: "List the merges that a client took part in"}, (*server).listMerges),

		handle(Route{ID: "likely-duplicates", Method: "POST", Path: "/v1/clients/duplicates", Tag: "Duplicates", Needs: actor.SeeClients,
			Summary: "Ask who a client may be already, before it is created"}, (*server).likelyDuplicates),
		handle(Route{ID: "find-similar", Method: "GET", Path: "/v1/clients/{id}/similar", Tag: "Duplicates", Needs: actor.SeeClients,
			Summary: "Find clients that may be the same person"}, (*server).findSimilar),
		handle(Route{ID: "list-duplicates", Method: "GET", Path: "/v1/duplicates", Tag: "Duplicates", Needs: actor.SeeClients,
			Summary: "List pairs and clusters that wait for a decision, the most alike first"}, (*server).listDuplicates),
		handle(Route{ID: "keep-separate", Method: "PUT", Path: "/v1/duplicates/{id}/{other}/separate", Tag: "Duplicates", Needs: actor.MergeClients,
			Summary: "Say that two clients are two people", status: http.StatusNoContent}, (*server).keepSeparate),
		handle(Route{ID: "reconsider", Method: "DELETE", Path: "/v1/duplicates/{id}/{other}/separate", Tag: "Duplicates", Needs: actor.MergeClients,
			Summary: "Take that back", status: http.StatusNoContent}, (*server).reconsider),

		handle(Route{ID: "review-queue", Method: "GET", Path: "/v1/review/clients", Tag: "Review", Needs: actor.SeeClients,
			Summary: "List new clients that nobody has looked at, the oldest first"}, (*server).reviewQueue),
		handle(Route{ID: "confirm-client", Method: "POST", Path: "/v1/clients/{id}/confirm", Tag: "Review", Needs: actor.EditClients,
			Summary: "Say that a new client is right"}, (*server).confirmClient),
		handle(Route{ID: "not-a-name", Method: "POST", Path: "/v1/clients/{id}/not-a-name", Tag: "Review", Needs: actor.EditClients,
			Summary: "Say that a client's name is none, and teach it"}, (*server).notAName),
		handle(Route{ID: "list-suggestions", Method: "GET", Path: "/v1/suggestions", Tag: "Review", Needs: actor.SeeClients,
			Summary: "List what the rules would not decide alone"}, (*server).listSuggestions),
		handle(Route{ID: "accept-suggestion", Method: "POST", Path: "/v1/suggestions/{id}/accept", Tag: "Review", Needs: actor.EditClients,
			Summary: "Do what is suggested"}, (*server).acceptSuggestion),
		handle(Route{ID: "dismiss-suggestion", Method: "POST", Path: "/v1/suggestions/{id}/dismiss", Tag: "Review", Needs: actor.EditClients,
			Summary: "Put a suggestion away", status: http.StatusNoContent}, (*server).dismissSuggestion),
		handle(Route{ID: "prove-audit", Method: "GET", Path: "/v1/audit/proof", Tag: "Audit", Needs: actor.Administer,
			Summary: "Prove that the audit is whole", deadline: time.Minute}, (*server).proveAudit),

		handle(Route{ID: "list-conversations", Method: "GET", Path: "/v1/conversations", Tag: "Conversations", Needs: actor.SeeClients,
			Summary: "List conversations, the latest first"}, (*server).listConversations),
		handle(Route{ID: "get-conversation", Method: "GET", Path: "/v1/conversations/{id}", Tag: "Conversations", Needs: actor.SeeClients,
			Summary: "Read a conversation: its messages, and why it is linked as it is"}, (*server).getConversation),
		handle(Route{ID: "link-conversation", Method: "PUT", Path: "/v1/conversations/{id}/client", Tag: "Conversations", Needs: actor.EditClients,
			Summary: "Link a conversation to a client; automation leaves it alone then"}, (*server).linkConversation),
		handle(Route{ID: "unlink-conversation", Method: "DELETE", Path: "/v1/conversations/{id}/client", Tag: "Conversations", Needs: actor.EditClients,
			Summary: "Take a conversation from its client; automation leaves it alone then"}, (*server).unlinkConversation),
		handle(Route{ID: "confirm-link", Method: "POST", Path: "/v1/conversations/{id}/confirm", Tag: "Conversations", Needs: actor.EditClients,
			Summary: "Say that an uncertain link is right"}, (*server).confirmLink),
		handle(Route{ID: "close-conversation", Method: "POST", Path: "/v1/conversations/{id}/close", Tag: "Conversations", Needs: actor.EditClients,
			Summary: "End a conversation; programs only where automation may act on its own"}, (*server).closeConversation),

		handle(Route{ID: "reply", Method: "POST", Path: "/v1/conversations/{id}/replies", Tag: "Outbound", Needs: actor.SendMessages,
			Summary: "Answer in a conversation, as far as the client's policy lets you; the state says what became of it", status: http.StatusCreated}, (*server).reply),
		handle(Route{ID: "write-to-client", Method: "POST", Path: "/v1/clients/{id}/messages", Tag: "Outbound", Needs: actor.SendMessages,
			Summary: "Write to a client on the channel that the client prefers", status: http.StatusCreated}, (*server).write),
		handle(Route{ID: "list-outbound", Method: "GET", Path: "/v1/outbound", Tag: "Outbound", Needs: actor.SeeClients,
			Summary: "List messages that somebody wanted to send, and what became of them"}, (*server).listOutbound),
		handle(Route{ID: "get-outbound", Method: "GET", Path: "/v1/outbound/{id}", Tag: "Outbound", Needs: actor.SeeClients,
			Summary: "Read an outbound message, why it is where it is, and when it goes"}, (*server).getOutbound),
		handle(Route{ID: "edit-outbound", Method: "PATCH", Path: "/v1/outbound/{id}", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Change what a waiting message says"}, (*server).editOutbound),
		handle(Route{ID: "approve-outbound", Method: "POST", Path: "/v1/outbound/{id}/approve", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Let an automated message go; the answer says when it does"}, (*server).approveOutbound),
		handle(Route{ID: "send-outbound", Method: "POST", Path: "/v1/outbound/{id}/send", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Send a draft as your own message"}, (*server).sendOutbound),
		handle(Route{ID: "reject-outbound", Method: "POST", Path: "/v1/outbound/{id}/reject", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Put a draft away"}, (*server).rejectOutbound),
		handle(Route{ID: "cancel-outbound", Method: "POST", Path: "/v1/outbound/{id}/cancel", Tag: "Outbound", Needs: actor.SendMessages,
			Summary: "Take a message back that has not left"}, (*server).cancelOutbound),
		handle(Route{ID: "retry-outbound", Method: "POST", Path: "/v1/outbound/{id}/retry", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Send a message once more that failed, or that maybe left"}, (*server).retryOutbound),
		handle(Route{ID: "resolve-outbound", Method: "POST", Path: "/v1/outbound/{id}/resolve", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Say whether a message arrived that maybe left"}, (*server).resolveOutbound),
		handle(Route{ID: "call-done", Method: "POST", Path: "/v1/outbound/{id}/called", Tag: "Outbound", Needs: actor.ReviewMessages,
			Summary: "Say that a call task was done"}, (*server).callDone),

		handle(Route{ID: "list-connections", Method: "GET", Path: "/v1/connections", Tag: "Connections", Needs: actor.SeeClients,
			Summary: "List the tenant's CRM accounts and how their sync stands"}, (*server).listConnections),
		handle(Route{ID: "create-connection", Method: "POST", Path: "/v1/connections", Tag: "Connections", Needs: actor.Administer, Also: actor.SeeClients,
			Summary: "Connect a CRM account", status: http.StatusCreated}, (*server).createConnection),
		handle(Route{ID: "get-connection", Method: "GET", Path: "/v1/connections/{id}", Tag: "Connections", Needs: actor.SeeClients,
			Summary: "Read a connection and its latest outcomes"}, (*server).getConnection),
		handle(Route{ID: "pause-connection", Method: "POST", Path: "/v1/connections/{id}/pause", Tag: "Connections", Needs: actor.Administer,
			Summary: "Pause a connection: what becomes due waits", status: http.StatusNoContent}, (*server).pauseConnection),
		handle(Route{ID: "resume-connection", Method: "POST", Path: "/v1/connections/{id}/resume", Tag: "Connections", Needs: actor.Administer,
			Summary: "Let a paused or parked connection work at once", status: http.StatusNoContent}, (*server).resumeConnection),
		handle(Route{ID: "retry-connection", Method: "POST", Path: "/v1/connections/{id}/retry", Tag: "Sync", Needs: actor.Administer, Also: actor.SeeClients,
			Summary: "Make failed records of a connection due again: one, all of a class, or all"}, (*server).retryConnection),
		handle(Route{ID: "run-connection", Method: "POST", Path: "/v1/connections/{id}/run", Tag: "Sync", Needs: actor.Administer,
			Summary: "Do now what waits for the schedule or for a retry"}, (*server).runConnection),
		handle(Route{ID: "get-sync", Method: "GET", Path: "/v1/connections/{id}/sync", Tag: "Sync", Needs: actor.SeeClients,
			Summary: "Read how a connection's sync stands: counts, problems with their next action, backfill"}, (*server).getSync),
		handle(Route{ID: "list-sync-runs", Method: "GET", Path: "/v1/connections/{id}/runs", Tag: "Sync", Needs: actor.SeeClients,
			Summary: "List a connection's runs, the latest first, counted from their outcomes"}, (*server).listRuns),
		handle(Route{ID: "list-outcomes", Method: "GET", Path: "/v1/connections/{id}/outcomes", Tag: "Sync", Needs: actor.SeeClients,
			Summary: "List what became of each record, the latest first"}, (*server).listOutcomes),
		handle(Route{ID: "export-failures", Method: "GET", Path: "/v1/connections/{id}/failures", Tag: "Sync", Needs: actor.SeeClients,
			Summary: "Export every record that failed and has not landed since, as CSV", deadline: time.Minute}, (*server).exportFailures),
		handle(Route{ID: "estimate-backfill", Method: "GET", Path: "/v1/connections/{id}/backfill/estimate", Tag: "Sync", Needs: actor.SeeClients,
			Summary: "Say what a backfill would cost in calls and time, and start nothing"}, (*server).estimateBackfill),
		handle(Route{ID: "start-backfill", Method: "POST", Path: "/v1/connections/{id}/backfill", Tag: "Sync", Needs: actor.Administer,
			Summary: "Bring everything the tenant has to a connection, in a lane of its own", status: http.StatusCreated, deadline: time.Minute}, (*server).startBackfill),
		handle(Route{ID: "pause-backfill", Method: "POST", Path: "/v1/connections/{id}/backfill/pause", Tag: "Sync", Needs: actor.Administer,
			Summary: "Let a backfill rest; the other lanes go on", status: http.StatusNoContent}, (*server).pauseBackfill),
		handle(Route{ID: "resume-backfill", Method: "POST", Path: "/v1/connections/{id}/backfill/resume", Tag: "Sync", Needs: actor.Administer,
			Summary: "Let a backfill go on", status: http.StatusNoContent}, (*server).resumeBackfill),
		handle(Route{ID: "choose-crm-record", Method: "PUT", Path: "/v1/connections/{id}/clients/{client}/record", Tag: "Sync", Needs: actor.Administer,
			Summary: "Say which of the CRM's records an ambiguous client is", status: http.StatusNoContent}, (*server).chooseRecord),

		handle(Route{ID: "list-senders", Method: "GET", Path: "/v1/senders", Tag: "Senders", Needs: actor.Administer,
			Summary: "List how the tenant sends on each channel"}, (*server).listSenders),
		handle(Route{ID: "set-sender", Method: "PUT", Path: "/v1/senders/{channel}", Tag: "Senders", Needs: actor.Administer,
			Summary: "Say how the tenant sends on a channel, from the next message on"}, (*server).setSender),
		handle(Route{ID: "remove-sender", Method: "DELETE", Path: "/v1/senders/{channel}", Tag: "Senders", Needs: actor.Administer,
			Summary: "Take a channel's sender away", status: http.StatusNoContent}, (*server).removeSender),

		handle(Route{ID: "list-keys", Method: "GET", Path: "/v1/keys", Tag: "API keys", Needs: actor.Administer,
			Summary: "List the tenant's API keys"}, (*server).listKeys),
		handle(Route{ID: "create-key", Method: "POST", Path: "/v1/keys", Tag: "API keys", Needs: actor.Administer,
			Summary: "Create an API key; its secret is shown only in this answer", status: http.StatusCreated, secret: true}, (*server).createKey),
		handle(Route{ID: "revoke-key", Method: "DELETE", Path: "/v1/keys/{id}", Tag: "API keys", Needs: actor.Administer,
			Summary: "Revoke an API key at once", status: http.StatusNoContent}, (*server).revokeKey),

		handle(Route{ID: "get-settings", Method: "GET", Path: "/v1/settings", Tag: "Settings", Needs: actor.Administer,
			Summary: "Read the tenant's rules and lists for extraction and matching"}, (*server).getSettings),
		handle(Route{ID: "change-settings", Method: "PATCH", Path: "/v1/settings", Tag: "Settings", Needs: actor.Administer,
			Summary: "Change some of them, in force on the next message"}, (*server).changeSettings),
		handle(Route{ID: "set-endpoint-key", Method: "PUT", Path: "/v1/settings/endpoint-key", Tag: "Settings", Needs: actor.Administer,
			Summary: "Store the key of the AI endpoint; it can't be read back", status: http.StatusNoContent}, (*server).setEndpointKey),
		handle(Route{ID: "drop-endpoint-key", Method: "DELETE", Path: "/v1/settings/endpoint-key", Tag: "Settings", Needs: actor.Administer,
			Summary: "Forget the key of the AI endpoint", status: http.StatusNoContent}, (*server).dropEndpointKey),

		handle(Route{ID: "list-tenants", Method: "GET", Path: "/v1/tenants", Tag: "Tenants", Needs: actor.Operate,
			Summary: "List all tenants"}, (*server).listTenants),
		handle(Route{ID: "create-tenant", Method: "POST", Path: "/v1/tenants", Tag: "Tenants", Needs: actor.Operate,
			Summary: "Create a tenant", status: http.StatusCreated}, (*server).createTenant),
		handle(Route{ID: "suspend-tenant", Method: "POST", Path: "/v1/tenants/{slug}/suspend", Tag: "Tenants", Needs: actor.Operate,
			Summary: "Suspend a tenant: nobody enters, nothing is accepted or synced, nothing is lost", status: http.StatusNoContent}, (*server).suspendTenant),
		handle(Route{ID: "resume-tenant", Method: "POST", Path: "/v1/tenants/{slug}/resume", Tag: "Tenants", Needs: actor.Operate,
			Summary: "Let a suspended tenant work again", status: http.StatusNoContent}, (*server).resumeTenant),
		handle(Route{ID: "create-login-link", Method: "POST", Path: "/v1/tenants/{slug}/login-links", Tag: "Tenants", Needs: actor.Operate,
			Summary: "Make the one-time link by which a tenant's first admin enters", status: http.StatusCreated, secret: true}, (*server).createLoginLink),

		handle(Route{ID: "list-adapters", Method: "GET", Path: "/v1/adapters", Tag: "Adapters", Needs: actor.Operate,
			Summary: "List what each host runs beside what is desired, and the versions in the catalog"}, (*server).listAdapters),
		handle(Route{ID: "install-adapter", Method: "POST", Path: "/v1/adapters", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Take a program on the host's machine into the catalog; it serves nobody yet", status: http.StatusCreated, deadline: time.Minute}, (*server).installAdapter),
		watch(Route{ID: "reload-adapters", Method: "POST", Path: "/v1/adapters/reload", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Read the configuration again and follow its adapters, as SIGHUP does"}, (*server).reloadAdapters),
		watch(Route{ID: "use-adapter", Method: "POST", Path: "/v1/adapters/{adapter}/use", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Let a version serve everybody or one tenant, once it has been verified; without a failed call"}, (*server).useAdapter),
		watch(Route{ID: "rollback-adapter", Method: "POST", Path: "/v1/adapters/{adapter}/rollback", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Let the version serve again that did before"}, (*server).rollbackAdapter),
		watch(Route{ID: "verify-adapter", Method: "POST", Path: "/v1/adapters/{adapter}/verify", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Start a version, see whether it fits the connections in use, and end it again"}, (*server).verifyAdapter),
		handle(Route{ID: "set-adapter-conformance", Method: "PUT", Path: "/v1/adapters/{adapter}/versions/{version}/conformance", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Write down which level of the conformance suite a version has reached", status: http.StatusNoContent}, (*server).setConformance),
		handle(Route{ID: "require-adapter-level", Method: "PUT", Path: "/v1/adapters/{adapter}/requirement", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Let only versions serve that have reached a level of the conformance suite", status: http.StatusNoContent}, (*server).requireConformance),
		handle(Route{ID: "remove-adapter-version", Method: "DELETE", Path: "/v1/adapters/{adapter}/versions/{version}", Tag: "Adapters", Needs: actor.Operate,
			Summary: "Forget a version that nothing uses", status: http.StatusNoContent}, (*server).removeAdapter),
	}
}

// Route is one row of the table.
type Route struct {
	ID, Method, Path, Tag, Summary string
	// Needs is what the caller must be allowed to do, and Also a second right that
	// what is answered may need; the services ask again.
	Needs, Also actor.Can

	status   int
	secret   bool             // the answer holds a secret and is never stored
	limits   map[string]int64 // by media type, in bytes; absent: bodyLimit
	deadline time.Duration    // 0: callDeadline
	register func(*server, huma.API, huma.Operation)
}

// routeKey is where an operation carries its row.
const routeKey = "route"

// handle puts a handler into a row. The handler gets the actor that the guard
// let in; its errors become problems here and nowhere else.
func handle[I, O any](r Route, call func(*server, context.Context, actor.Actor, *I) (*O, error)) Route {
	r.register = func(s *server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			a := actorOf(ctx)
			if err := s.checkTenant(ctx, a, in); err != nil {
				return nil, s.problem(ctx, err)
			}
			out, err := call(s, ctx, a, in)
			if err != nil {
				return nil, s.problem(ctx, err)
			}
			return out, nil
		})
	}
	return r
}

// inTenant is an input whose body may name the tenant.
type inTenant interface{ tenant() string }

// checkTenant refuses a body for another tenant than the credential's (R160): a
// pusher that mixes its keys up must notice.
func (s *server) checkTenant(ctx context.Context, a actor.Actor, in any) error {
	named, ok := in.(inTenant)
	if !ok || named.tenant() == "" {
		return nil
	}
	own, err := s.Tenants.Get(ctx, a.Tenant)
	if err != nil {
		return err
	}
	if own.Slug != named.tenant() {
		p := newProblem(http.StatusUnprocessableEntity, "tenant: is not the tenant of your credential")
		p.Errors = []FieldError{{Field: "tenant", Rule: "is not the tenant of your credential", WayOut: "send this with that tenant's key, or leave tenant out"}}
		return p
	}
	return nil
}

// Admit returns a *actor.Refusal when the actor lacks a right that the route
// needs.
func (r Route) Admit(a actor.Actor) error {
	if err := a.Require(r.Needs); err != nil || r.Also == "" {
		return err
	}
	return a.Require(r.Also)
}

func (r Route) describe() string {
	if r.Also != "" {
		return fmt.Sprintf("Needs the rights to %s and to %s.", r.Needs, r.Also)
	}
	return fmt.Sprintf("Needs the right to %s.", r.Needs)
}

func (r Route) limit(mediaType string) int64 {
	if limit, ok := r.limits[mediaType]; ok {
		return limit
	}
	return bodyLimit
}

func (r Route) callDeadline() time.Duration {
	if r.deadline == 0 {
		return callDeadline
	}
	return r.deadline
}
