package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replank/replank/internal/annotate"
	"github.com/replank/replank/internal/lsp"
	"github.com/replank/replank/lint"
)

func (a *app) lspCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lsp", Short: "Show in an editor what lint finds, while a migration is written", GroupID: groupWatch,
		Long: `A language server over standard input and output: an editor starts it. Migrations
are judged as they are typed, at their place in their history: the migrations of
replank.toml where the file is one of them, or else the folder of the file.

Hovering tells why. A quick fix rewrites the file into its safe form, and makes the
files that it has to be divided into where the editor can; another one puts a
comment there that allows the statement. With a snapshot, shapes and sizes of its
database count; its statements are tried by lint alone, which takes longer.`,
		Example: "  replank lsp\n  replank lsp --snapshot replank.snapshot.json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := lsp.Serve(cmd.Context(), lsp.Config{Judge: a.judgeText, Rewrite: a.rewriteText, Story: annotate.RuleMarkdown, Version: versionText()}, os.Stdin, a.process.out)
			if errors.Is(err, lsp.ErrNoShutdown) {
				return &toldError{err} // the protocol wants 1
			}
			return err
		},
	}
	a.set.addFlags(cmd.Flags(), linting, sizing)
	cmd.Flags().Bool("stdio", true, "what editors say by habit")
	_ = cmd.Flags().MarkHidden("stdio")
	return cmd
}

// judgeText is lint of one file as an editor has it.
func (a *app) judgeText(ctx context.Context, path, text string) ([]lsp.Finding, error) {
	if path != "" && !strings.HasSuffix(path, ".sql") {
		return nil, nil // nothing that we could read alone
	}
	j, err := a.judge(ctx, input{only: cmp.Or(path, stdinPath), text: text, hurried: true})
	if err != nil {
		return nil, err
	}
	known, err := a.baseline(false)
	if err != nil {
		return nil, err
	}
	var list []lsp.Finding
	for _, f := range a.document(ctx, j, known).Findings {
		from, to := f.Pos.Offset, f.End.Offset
		if len(f.Frame) > 0 && f.Frame[0].Number == 0 { // a text that was made of this one: only the line is known
			from, to = lineOf(text, f.Pos.Line)
		}
		list = append(list, lsp.Finding{Finding: f.Finding, From: from, To: to})
	}
	return list, nil
}

// rewriteText is lint --fix of one file as an editor has it.
func (a *app) rewriteText(ctx context.Context, path, text string) (lint.Fixed, error) {
	in := input{only: cmp.Or(path, stdinPath), text: text, later: true, hurried: true}
	j, err := a.prepare(ctx, in)
	if err != nil {
		return lint.Fixed{}, err
	}
	cfg, err := a.lintConfig()
	if err != nil {
		return lint.Fixed{}, err
	}
	if a.set.Lint.Snapshot != "" {
		if err := a.useSnapshot(ctx, in, j, &cfg); err != nil {
			return lint.Fixed{}, err
		}
	}
	at := slices.IndexFunc(j.sources, func(s lint.Source) bool { return samePath(s.Path, in.only) })
	if at < 0 { // it is applied already
		return lint.Fixed{}, nil
	}
	for i := range j.sources {
		j.sources[i].Style = lint.Style(a.history.Format)
	}
	j.sources[at].File = strings.TrimPrefix(text, string(byteOrderMark))
	fixed := lint.FixOne(cfg, j.sources, at)
	if len(fixed.Files) > 0 && strings.HasPrefix(text, string(byteOrderMark)) {
		fixed.Files[0].Text = string(byteOrderMark) + fixed.Files[0].Text
	}
	return fixed, nil
}

// lineOf is where a line of a text, from 1, begins and ends.
func lineOf(text string, number int) (from, to int) {
	for range number - 1 {
		i := strings.IndexByte(text[from:], '\n')
		if i < 0 {
			return len(text), len(text)
		}
		from += i + 1
	}
	if i := strings.IndexByte(text[from:], '\n'); i >= 0 {
		return from, from + i
	}
	return from, len(text)
}
