package sdk_test

import "testing"

// A process that may not be dumped can't be read or traced by its user's others.
func TestAnAdaptersMemoryIsHidden(t *testing.T) {
	t.Parallel()
	adapter, _ := launch(t)
	reply, err := write(t, adapter, "dumpable")
	if err != nil || len(reply.Outcomes) != 1 || reply.Outcomes[0].CRMID != "0" {
		t.Errorf("PR_GET_DUMPABLE says %+v, %v, want 0", reply.Outcomes, err)
	}
}
