package simulator

import "testing"

// The vectors of salesforce.md §11.1 and §11.2.
func TestIDChecksums(t *testing.T) {
	t.Parallel()
	for short, want := range map[string]string{
		"003ak000003dQCG": "003ak000003dQCGAA2", "005ak000005hvjJ": "005ak000005hvjJAAQ", "750ak000009Bkrx": "750ak000009BkrxAAC",
		"001RM000003oLru": "001RM000003oLruYAE", "003Si0000000001": "003Si0000000001IAA",
	} {
		if got := longID(short); got != want {
			t.Errorf("%s: %s, want %s", short, got, want)
		}
		if got, ok := shortID(want); !ok || got != short {
			t.Errorf("%s: %s, %v", want, got, ok)
		}
		if _, ok := shortID(want[:17] + "X"); ok {
			t.Errorf("%s: a wrong checksum passes", want[:17]+"X")
		}
	}
}

func TestTokenSignature(t *testing.T) {
	t.Parallel()
	const identity = "https://login.salesforce.com/id/00DSi0000000001MAA/005Si0000000001IAA"
	if got := signature(identity, "1767225600000"); got != "iTBASYIHjpQ4JYjljw9vnxgCCzrB6XPrt0GxllVJp4Y=" {
		t.Errorf("signature %s", got)
	}
}

func TestReleaseNames(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{31: "Summer '14", 32: "Winter '15", 33: "Spring '15", 65: "Winter '26", 66: "Spring '26", 67: "Summer '26", 68: "Winter '27"} {
		if got := release(n, "'"); got != want {
			t.Errorf("v%d is %s, want %s", n, got, want)
		}
	}
}
