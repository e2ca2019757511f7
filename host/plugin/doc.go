// Package plugin runs the adapters: it takes their programs into a store, starts
// each as a process of its own, keeps it running, and carries the host's calls to
// it. The rest of the host asks a [Registry] for an adapter by name and gets a
// handle that stays valid while processes die, are replaced and are swapped for
// another version.
//
// From the outside in: registry.go, declaration.go, status.go (all adapters),
// slot.go (one adapter: which version serves whom, swaps), wanted.go (which should), verify.go (which may),
// handle.go (calls), worker.go (keeps one version running), process.go (one process
// that shook hands), runner.go (how a process is started and tied to ours),
// confine.go (what it may have), cause.go (why it ended), store.go and package.go
// (verified programs), log.go. Beside it: catalog (what all hosts share), plugintest.
//
// It knows the SDK and nothing of tenants' data, mappings or queues. It decides
// nothing about a call's outcome: a call that a crash cut off comes back as the
// SDK classifies it, and one that found no process as [Unavailable].
package plugin
