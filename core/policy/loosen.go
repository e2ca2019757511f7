package policy

// Loosened answers which settings let more through in to than in from, by their
// JSON names: who may change a setting depends on it (R73). Preferred channels
// are no restriction, whatever their order.
func Loosened(from, to Policy) []string {
	var looser []string
	add := func(name string, yes bool) {
		if yes {
			looser = append(looser, name)
		}
	}
	add("contact_windows", looserWindows(from, to))
	add("never_auto_send", from.NeverAutoSend.Value && !to.NeverAutoSend.Value)
	add("human_review_required", from.ReviewRequired.Value && !to.ReviewRequired.Value)
	add("ai_autonomy", stricter(to.Autonomy.Value, from.Autonomy.Value) < 0)
	add("sensitive", from.Sensitive.Value && !to.Sensitive.Value)
	for _, o := range from.OptOuts {
		if _, still := optedOut(to.OptOuts, o.Channel, o.Address); !still {
			add("opt_outs", true)
			break
		}
	}
	return looser
}

// looserWindows: some minute is open that was closed. In another zone the same
// hours are others, so that only no restriction before makes it sure.
func looserWindows(from, to Policy) bool {
	before, after := windowsOf(from.Windows.Value), windowsOf(to.Windows.Value)
	if before == wholeWeek() {
		return false
	}
	return from.Timezone.Value != to.Timezone.Value || !after.within(&before)
}
