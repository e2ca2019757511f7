package policy

// Loosened answers which settings let more through in to than in from, by
// name: who may change a setting depends on it (R73). Preferred channels
// are no restriction, whatever their order.
func Loosened(from, to Policy) []Name {
	var looser []Name
	add := func(name Name, yes bool) {
		if yes {
			looser = append(looser, name)
		}
	}
	// In another zone the same hours are others.
	before, after := hoursLeft(from), hoursLeft(to)
	moved := from.Timezone.Value != to.Timezone.Value
	add(NameWindows, before != wholeWeek() && (moved || !after.within(&before)))
	add(NameNever, from.NeverAutoSend.Value && !to.NeverAutoSend.Value)
	add(NameReview, from.ReviewRequired.Value && !to.ReviewRequired.Value)
	add(NameAutonomy, stricter(to.Autonomy.Value, from.Autonomy.Value) < 0)
	add(NameSensitive, from.Sensitive.Value && !to.Sensitive.Value)
	for _, o := range from.OptOuts {
		if _, still := optedOut(to.OptOuts, o.Channel, o.Address); !still {
			add(NameOptOuts, true)
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
