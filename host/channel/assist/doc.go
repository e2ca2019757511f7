// Package assist lets a tenant's own AI endpoint give a second opinion on what
// extraction was unsure of: any endpoint with OpenAI's chat-completions call. In
// this room: the key and the daily budget (desk.go), the call and the reading of
// its answer (client.go), and the job that runs after a message has committed
// (job.go). What is asked, and what an answer counts, is decided in core/extract;
// an endpoint that is slow, broken, lying or absent changes nothing, and the run
// says so.
package assist
