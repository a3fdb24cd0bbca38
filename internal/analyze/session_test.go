package analyze

import "testing"

func TestOnlyWhatIsSaidOfTheUserBeginsAnApplicationsSession(t *testing.T) {
	for message, want := range map[string]string{
		"User alice logged in from 198.51.100.7":             "begins",
		"alice has successfully logged in":                   "begins",
		`user "alice" signed in`:                             "begins",
		"[auth] alice: user logged out":                      "ends",
		"alice was logged out after 30 minutes":              "ends",
		"alice is not logged in":                             "",
		"user alice could not be logged in":                  "",
		"alice must be signed in to do that":                 "",
		"request of alice: 3 warnings were logged in app":    "",
		"failed for user alice: not user logged in":          "",
		"alice did what bob, who had logged in before, did":  "",
		"failed login of alice; user logged in elsewhere":    "",
		"session of alice ended: errors logged out of order": "",
	} {
		begins, ends := toldOf(message, "alice")
		if got := map[[2]bool]string{{true, false}: "begins", {false, true}: "ends"}[[2]bool{begins, ends}]; got != want {
			t.Errorf("%q %q, not %q", message, got, want)
		}
	}
}
