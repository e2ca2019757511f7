package extract

// functionWords never start or end a name, whatever their capital: they would
// be read as names only by mistake, although some (An, Will's "will") are
// somebody's.
var functionWords = setOf(`a an the this that these those i me my mine you your yours he him his she her hers it its we us our ours they them their theirs
who whom whose what which when where why how and or but nor so yet if then than because although though while until unless since
as than of in on at to from with without by for about into onto over under after before between through during against above below up down out off again near
am is are was were be been being have has had having do does did doing can could shall should would might must
not no yes none nothing nobody never ever always also just only even still already now here there very too quite rather really
hi hello hey thanks thank please sorry ok okay yeah yep nope
all any both each every few more most other some such same own much many another
get got go goes going gone went come came make made let want need like
mr mrs ms dr
today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday january february march july september october november december
re fw fwd cc bcc ps`)

func setOf(text string) map[string]bool {
	set := make(map[string]bool)
	start := -1
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] != ' ' && text[i] != '\n' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			set[text[start:i]] = true
			start = -1
		}
	}
	return set
}
