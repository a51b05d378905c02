package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/replank/replank/devdb"
)

func (a *app) testdbCommand() *cobra.Command {
	var pid int
	cmd := a.needDev(&cobra.Command{
		Use: "testdb", Short: "Hand out a database for one test", GroupID: groupSetUp, Args: arguments(cobra.NoArgs),
		Long: `Prints the URL of a database of its own for one test: a copy of the template that
replank dev refresh makes, with all its data (or the state after test_after of
[dev]). Some are kept ready, so that it takes a few hundredths of a second; where
there is no template yet it is made first.

It belongs to the process that --for names. When that has ended, or with
testdb release, it is dropped in the background.`,
		Example: `  export DATABASE_URL=$(replank testdb)
  replank testdb --json --for 4711
  replank testdb release shop_dev_replank_test_1f3a5b7c9d0e`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withPool(cmd, func(d *devdb.Dev) error {
				db, err := d.Take(cmd.Context(), pid)
				if err != nil {
					return a.stepFailed(err)
				}
				if a.set.JSON {
					return a.printJSON(db)
				}
				a.out.line("%s", db.DSN)
				return nil
			})
		},
	}, false)
	cmd.Flags().IntVar(&pid, "for", os.Getppid(), "process that it is for")
	cmd.Flags().Lookup("for").DefValue = "the one that calls"
	release := a.needDev(&cobra.Command{
		Use: "release NAME ...", Short: "Give databases for tests back", Args: arguments(cobra.MinimumNArgs(1)),
		Example: "  replank testdb release shop_dev_replank_test_1f3a5b7c9d0e",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withPool(cmd, func(d *devdb.Dev) error { return d.Release(cmd.Context(), args...) })
		},
	}, false)
	fill := a.needDev(&cobra.Command{
		Use: "fill", Short: "Make databases ready for tests, and drop those that nobody has any more", Args: arguments(cobra.NoArgs),
		Long:    "The other commands of testdb start this in the background when there is something to do.",
		Example: "  replank testdb fill",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.openPool(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			return d.Fill(cmd.Context())
		},
	}, false)
	cmd.AddCommand(release, fill)
	return cmd
}

// openPool is openDev for commands whose standard output is the result.
func (a *app) openPool(cmd *cobra.Command) (*devdb.Dev, error) {
	out, asJSON := a.out, a.set.JSON
	a.out, a.set.JSON = a.messages, false
	d, err := a.openDev(cmd)
	a.out, a.set.JSON = out, asJSON
	return d, err
}

// withPool does something with the databases for tests, and leaves what can wait to a process in the background.
func (a *app) withPool(cmd *cobra.Command, do func(*devdb.Dev) error) error {
	d, err := a.openPool(cmd)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := do(d); err != nil {
		return err
	}
	if wanting, err := d.Wanting(cmd.Context()); err != nil || !wanting {
		return err
	}
	return a.fillBehind()
}

// fillBehind starts testdb fill with our environment, in a session of its own: it ends by itself when there is nothing
// to do, and whoever waits for our output does not wait for it.
func (a *app) fillBehind() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fill := exec.Command(self, "testdb", "fill", "--config", a.set.Dev.file)
	fill.Dir = filepath.Dir(a.set.Dev.file)
	fill.Env = append(os.Environ(), envAllowHost+"="+a.set.Dev.given.allowHost, envAllow+"="+strings.Join(a.set.Dev.given.allow, ","))
	fill.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := fill.Start(); err != nil {
		return err
	}
	return fill.Process.Release()
}
