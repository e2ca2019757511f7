package match

import (
	_ "embed"
	"strings"
	"sync"
)

// The word lists are our own, one entry a line (or several, separated by
// spaces), '#' starts a comment. They are read once, at first use, and never
// change.
var (
	//go:embed lists/free_mail.txt
	freeMailText string
	//go:embed lists/role_addresses.txt
	roleText string
	//go:embed lists/nicknames.txt
	nicknameText string
	//go:embed lists/legal_suffixes.txt
	legalText string

	freeMail       = sync.OnceValue(func() map[string]bool { return words(freeMailText) })
	freeMailBrands = sync.OnceValue(func() map[string]bool {
		return words("yahoo hotmail outlook live msn gmx ymail rocketmail aol googlemail gmail icloud yandex protonmail tutanota mailinator guerrillamail")
	})
	roleLocals    = sync.OnceValue(func() map[string]bool { return words(roleText) })
	machineLocals = sync.OnceValue(func() map[string]bool {
		return words("postmaster mailerdaemon mailer-daemon mail-daemon daemon root nobody www-data apache cron listserv majordomo mailman list lists newsletter newsletters news notification notifications notify alert alerts automailer autoresponder auto-reply autoreply bounce bounces return returns-bounce unsubscribe mailer mailing digest")
	})
	machineHosts  = sync.OnceValue(func() map[string]bool { return words("bounce bounces noreply no-reply lists") })
	nicknames     = sync.OnceValue(func() map[string][]int { return nicknameGroups(nicknameText) })
	nicknameHeads = sync.OnceValue(func() []string { return lineHeads(nicknameText) })
	legalWords    = sync.OnceValue(func() map[string]bool { return words(legalText) })
)

// noReplyMarks are looked for in a local part without its punctuation.
var noReplyMarks = [...]string{"noreply", "donotreply", "dontreply", "nereply", "nepasrepondre", "noresponder", "nichtantworten", "keineantwort", "nonrispondere", "noresponda", "naoresponda", "mailerdaemon"}

func listed(list func() map[string]bool, word string) bool { return list()[word] }

func words(text string) map[string]bool {
	set := make(map[string]bool)
	eachLine(text, func(line string) {
		for _, w := range strings.Fields(line) {
			set[w] = true
		}
	})
	return set
}

// nicknameGroups numbers the lines: names that share a number can be the same
// person's.
func nicknameGroups(text string) map[string][]int {
	groups := make(map[string][]int)
	n := 0
	eachLine(text, func(line string) {
		for _, w := range strings.Fields(line) {
			groups[w] = append(groups[w], n)
		}
		n++
	})
	return groups
}

// lineHeads are the first words of the lines, by number.
func lineHeads(text string) []string {
	var heads []string
	eachLine(text, func(line string) { heads = append(heads, strings.Fields(line)[0]) })
	return heads
}

func eachLine(text string, use func(line string)) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			use(line)
		}
	}
}
