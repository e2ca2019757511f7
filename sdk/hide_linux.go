package sdk

import "syscall"

// hide keeps other processes of the same user from reading this one's memory,
// where tokens of calls in flight are, and the kernel from dumping it to a file
// (prctl(2), PR_SET_DUMPABLE).
func hide() {
	// It fails for no argument that we pass; without it the adapter works as well.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
}
