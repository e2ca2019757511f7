package intake

import (
	"slices"

	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
)

// facts brings what was read and found into the form that matching decides on:
// whose identifiers the channel proves, which ones the speaker gave as his own,
// and his name.
func facts(r reading, found extract.Result, mayCreate bool) match.Facts {
	f := match.Facts{
		Channel: r.place.Channel, RoleAddress: found.Sender.Role, Unproved: r.unproved,
		MayCreate: mayCreate, At: r.stored.SentAt,
	}
	f.First, f.Last = speakerName(found)
	add := func(to *[]match.Identifier, id match.Identifier) {
		if id.Normal != "" && !slices.Contains(f.Own, id) && !slices.Contains(*to, id) {
			*to = append(*to, id)
		}
	}
	add(&f.Own, match.Identifier{Kind: match.KindChat, Normal: r.session})
	add(&f.Own, match.Identifier{Kind: match.KindExternal, Normal: r.vouched})
	add(&f.Own, match.Identifier{Kind: match.KindEmail, Normal: found.Sender.Email})
	add(&f.Own, match.Identifier{Kind: match.KindPhone, Normal: found.Sender.Phone, Extension: found.Sender.Extension})
	if found.Sender.None == extract.NoSenderNoReply || found.Sender.None == extract.NoSenderOwn ||
		found.Sender.None == extract.NoSenderList || found.Sender.None == extract.NoSenderAutomatic {
		return f
	}
	for _, x := range statedIdentifiers(found) {
		add(&f.Stated, identifierOf(x))
	}
	return f
}

// statedIdentifiers are the addresses and numbers the speaker gave as his own:
// those of a form first, addresses before numbers.
func statedIdentifiers(found extract.Result) []extract.Finding {
	var stated []extract.Finding
	for _, form := range []bool{true, false} {
		for _, field := range []extract.Field{extract.FieldEmail, extract.FieldPhone} {
			for _, x := range found.Accepted(field) {
				if x.Stated && (x.Origin == extract.OriginPreChat) == form && x.Origin != extract.OriginChannel && x.Normal != "" {
					stated = append(stated, x)
				}
			}
		}
	}
	return stated
}

func identifierOf(x extract.Finding) match.Identifier {
	return match.Identifier{Kind: string(x.Field), Normal: x.Normal, Extension: x.Extension}
}

// speakerName is the surest accepted name, else what the header shows.
func speakerName(found extract.Result) (first, last string) {
	names := found.Accepted(extract.FieldName)
	if len(names) == 0 {
		return found.Sender.First, found.Sender.Last
	}
	best := slices.MaxFunc(names, func(a, b extract.Finding) int {
		switch {
		case a.Confidence < b.Confidence:
			return -1
		case a.Confidence > b.Confidence:
			return 1
		default:
			return len(a.First) + len(a.Last) - len(b.First) - len(b.Last)
		}
	})
	return best.First, best.Last
}
