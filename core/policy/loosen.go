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
	before, after := hoursLeft(from), hoursLeft(to)
	restricted := before != wholeWeek()
	moved := from.Timezone.Value != to.Timezone.Value
	add("contact_windows", restricted && !moved && !after.within(&before))
	// In another zone the same hours are others.
	add("timezone", restricted && moved)
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

// hoursLeft are the minutes of the week at which something automated may leave.
func hoursLeft(p Policy) week {
	open, quiet := windowsOf(p.Windows.Value), weekOf(p.QuietHours.Value)
	return open.without(&quiet)
}
