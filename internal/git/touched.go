package git

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Touched are the files in and below dir that commits since a day have changed, by their path from dir with slashes, and
// when the last of them was made.
func Touched(ctx context.Context, dir string, since time.Time) (map[string]time.Time, error) {
	after := "--since=" + since.UTC().Format(time.RFC3339)
	shallow, err := run(ctx, dir, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, &Error{"run it inside of the repository of the legacy application", err}
	}
	if strings.TrimSpace(shallow) == "true" {
		// The commit where a shallow clone ends has no parents in it, and so seems to have touched every file.
		ends, err := run(ctx, dir, "rev-list", after, "--max-parents=0", "HEAD")
		if err != nil {
			return nil, &Error{"", err}
		}
		if ends != "" {
			return nil, &Error{"fetch the history: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 of GitLab, or git fetch --unshallow",
				fmt.Errorf("this is a shallow clone, which does not go back to %s", since.UTC().Format(time.DateOnly))}
		}
	}
	log, err := run(ctx, dir, "log", after, "--format=%x01%ct", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff", "--no-show-signature", "HEAD", "--", ".")
	if err != nil {
		return nil, &Error{"", err}
	}
	touched := map[string]time.Time{}
	var at time.Time
	for field := range strings.SplitSeq(log, "\x00") {
		field = strings.TrimPrefix(field, "\n") // stands between a commit and its files
		if seconds, ok := strings.CutPrefix(field, "\x01"); ok {
			// "\x01time", and where files follow, the first of them behind a line break.
			seconds, field, _ = strings.Cut(seconds, "\n")
			unix, err := strconv.ParseInt(seconds, 10, 64)
			if err != nil {
				return nil, &Error{"", errors.New("git log has not written when a commit was made")}
			}
			at = time.Unix(unix, 0).UTC()
		}
		if field != "" && at.After(touched[field]) {
			touched[field] = at
		}
	}
	return touched, nil
}
