// Package git asks the git program what a branch adds and which files were touched.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Error is a question that git could not answer.
type Error struct {
	hint string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do, or "".
func (e *Error) Hint() string { return e.hint }

// Root is the top folder of the repository that holds a folder. The error is an [Error] where there is none.
func Root(ctx context.Context, dir string) (string, error) {
	out, err := run(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", &Error{"run it inside of the repository of the migrations", err}
	}
	return filepath.FromSlash(strings.TrimSuffix(out, "\n")), nil
}

// Change is how a file of the base differs now.
type Change byte

// The changes.
const (
	Same Change = iota
	Modified
	Deleted
)

// Branch is what a working tree adds to another branch.
type Branch struct {
	Root string // top folder of the repository
	Base string // the commit that both have in common
	// Files are those of the base, by their path relative to Root with slashes, and what became of them.
	Files map[string]Change
}

// Since compares the working tree around dir, committed or not, with the commit where it left ref.
func Since(ctx context.Context, dir, ref string) (*Branch, error) {
	root, err := Root(ctx, dir)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(ref, "-") {
		return nil, &Error{"name a branch, a tag or a commit", fmt.Errorf("%q is no revision", ref)}
	}
	b := &Branch{Root: root, Files: map[string]Change{}}
	if b.Base, err = mergeBase(ctx, root, ref); err != nil {
		return nil, err
	}
	tree, err := run(ctx, root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", b.Base)
	if err != nil {
		return nil, &Error{"", err}
	}
	for path := range strings.SplitSeq(tree, "\x00") {
		if path != "" {
			b.Files[path] = Same
		}
	}
	diff, err := run(ctx, root, "diff", "-z", "--name-status", "--no-renames", "--no-ext-diff", "--ignore-submodules", b.Base, "--")
	if err != nil {
		return nil, &Error{"", err}
	}
	fields := strings.Split(diff, "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch path := fields[i+1]; fields[i] {
		case "M", "T":
			b.Files[path] = Modified
		case "D":
			b.Files[path] = Deleted
		}
	}
	return b, nil
}

// Old is a file as it was at the base.
func (b *Branch) Old(ctx context.Context, path string) (string, error) {
	out, err := run(ctx, b.Root, "cat-file", "blob", b.Base+":"+path)
	if err != nil {
		return "", &Error{"", err}
	}
	return out, nil
}

// mergeBase is the commit where HEAD left ref.
func mergeBase(ctx context.Context, root, ref string) (string, error) {
	shallow, err := run(ctx, root, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", &Error{"", err}
	}
	isShallow := strings.TrimSpace(shallow) == "true"
	const fetch = "this is a shallow clone, which ends before the commit that both have in common; fetch the history: " +
		"fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 of GitLab, or git fetch --unshallow"
	if _, err := run(ctx, root, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}"); err != nil {
		hint := "git fetch the branch, or name another: a branch, a tag or a commit"
		if isShallow {
			hint = fetch
		}
		return "", &Error{hint, fmt.Errorf("git knows no revision %s", ref)}
	}
	base, err := run(ctx, root, "merge-base", "--end-of-options", ref, "HEAD")
	if err != nil {
		hint := "name a branch that this one was made from"
		if isShallow {
			hint = fetch
		}
		return "", &Error{hint, fmt.Errorf("%s and HEAD have no commit in common", ref)}
	}
	return strings.TrimSpace(base), nil
}

// run asks git. Paths come as they are, in whatever language git speaks otherwise.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.quotePath=false", "-C", dir}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		said, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return "", fmt.Errorf("git %s: %s", args[0], strings.TrimPrefix(said, "fatal: "))
	case err != nil:
		return "", fmt.Errorf("run git: %w", err)
	}
	return out.String(), nil
}
