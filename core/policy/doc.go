// Package policy decides whether a message may go to a client now, later, only
// with a person's review, only by a person's hand, or not at all, and proves it:
// every rule that spoke is listed with where it was set. Preferred channels,
// contact windows, automation controls, sensitivity, opt-outs and the tenant's
// quiet hours meet here and nowhere else (requirements R40–R87).
//
// The way through:
//
//	In (tenant, client, conversation)  -- Combine --> Policy: what is in force, and who set it
//	Policy, Message, now               -- Decide ---> Decision: the outcome and its proof
//	Policy, Reach                      -- Choose ---> Choice: the channel of a new message
//	Policy, act                        -- Act ------> Decision: may automation close, tag, book
//	Policy, Policy                     -- Loosened -> which settings became less strict
//
// The package is pure: values in, values out; no context, no database, no clock.
// Who stores these settings, and who may change them, is the business of the
// packages client and conversation; what is sent, that of outbound.
package policy
