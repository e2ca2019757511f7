package simulator

import (
	"encoding/json"
	"net/http"
)

// Subject is what package conformance must know about a simulator to try an
// adapter against it. GET subject answers it.
type Subject struct {
	// Settings of a connection, as the adapter's settings schema has them; in its
	// texts {base_url} stands for the address of the CRM's port.
	Settings json.RawMessage `json:"settings"`
	// AccessToken and Extras are a token that the simulator accepts.
	AccessToken string            `json:"access_token"`
	Extras      map[string]string `json:"extras,omitempty"`
	// Switches are put into the settings for the time of the trial: what would only
	// slow it down, such as an index that lags.
	Switches json.RawMessage `json:"switches,omitempty"`
	// Clock is how far the simulator's clock is moved for the time of the trial, as a
	// duration: back, where the adapter leaves out what changed a moment ago because
	// the CRM shows it late.
	Clock string `json:"clock,omitempty"`
	// Faults says how this CRM fails in ways that each CRM words differently, by
	// the names of the Fault… constants. One that is not there is not tried.
	Faults map[string]Fault `json:"faults,omitempty"`
	// Merges tells whether POST subject/merge works; the base fills it in.
	Merges bool `json:"merges"`
}

// The faults of a Subject.
const (
	// FaultQuota answers that the day's allowance is used up.
	FaultQuota = "quota"
	// FaultLock answers that another writer holds the record.
	FaultLock = "lock"
	// FaultShort leaves rows out of the answer to a batch.
	FaultShort = "short"
)

func (b *Base) serveSubject(w http.ResponseWriter, _ *http.Request) {
	subject := b.Subject
	subject.Merges = b.Merge != nil
	WriteJSON(w, http.StatusOK, subject)
}

// serveMerge has somebody in the CRM merge two records.
func (b *Base) serveMerge(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Object string `json:"object"`
		Into   string `json:"into"`
		From   string `json:"from"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "merge: want object, into and from: "+err.Error())
		return
	}
	if b.Merge == nil {
		refuse(w, "merge: this CRM merges nothing")
		return
	}
	b.Mu.Lock()
	defer b.Mu.Unlock()
	defer b.Store.Rollback()
	err := b.Merge(in.Object, in.Into, in.From)
	if err == nil {
		err = b.Store.Commit()
	}
	if err != nil {
		refuse(w, "merge: "+err.Error())
		return
	}
	WriteJSON(w, http.StatusOK, map[string]bool{"merged": true})
}
