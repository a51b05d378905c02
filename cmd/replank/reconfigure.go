package main

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"github.com/spf13/pflag"

	"github.com/replank/replank/gateway"
)

// changeable are the settings that a running gateway takes over on SIGHUP.
var changeable = []string{"gateway.trusted", "gateway.keep_at_most", "gateway.keep_all", "gateway.body_at_most", "gateway.client_timeout",
	"gateway.demote_errors", "gateway.demote_slow", "gateway.demote_differences"}

// unused are the settings of the gateway's tables that the gateway itself does not use.
var unused = []string{"gateway.modern_discover", "gateway.legacy_discover"}

// matters reports whether a running gateway has to do with a setting.
func matters(o option) bool {
	return o.table == "gateway" && !slices.Contains(unused, o.toml()) || o.table == "identity" ||
		slices.Contains([]string{"db", "direct-db", "owner", "log-format", "verbose", "quiet"}, o.name)
}

// reconfigure reads the settings again, and gives the gateway those that it can take over while it runs. inForce are the
// ones that hold, as text. Where there is a mistake, nothing is taken over.
func (a *app) reconfigure(g *gateway.Gateway, given *pflag.FlagSet, inForce map[string]string) {
	next, err := a.settingsAnew(given)
	trusted, bad := prefixes(next.Gateway.Trusted)
	if err = cmp.Or(err, bad); err != nil {
		a.log.Error("the settings have mistakes; none of them is taken over", "error", err)
		return
	}
	texts := next.texts()
	var taken, later []string
	for _, o := range options {
		switch name := o.toml(); {
		case texts[name] == inForce[name] || !matters(o):
		case slices.Contains(changeable, name):
			taken = append(taken, name)
			inForce[name] = texts[name]
		default:
			later = append(later, name)
		}
	}
	if len(later) > 0 {
		a.log.Warn("these settings have changed, and need a restart", "settings", later)
	}
	if len(taken) > 0 {
		g.Change(next.Gateway.live(trusted))
		a.log.Warn("these settings have changed, and are in force", "settings", taken)
	}
}

// live are the settings that a gateway can change while it runs.
func (set gatewaySettings) live(trusted []netip.Prefix) gateway.Config {
	return gateway.Config{Trusted: trusted, KeepAtMost: int64(set.KeepAtMost), KeepAll: int64(set.KeepAll),
		BodyAtMost: int64(set.BodyAtMost), ClientTimeout: set.ClientTimeout, Demote: demotion(set)}
}

// settingsAnew reads the settings as the command has read them when it began.
func (a *app) settingsAnew(given *pflag.FlagSet) (*settings, error) {
	var s settings
	all := s.bind()
	given.Visit(func(f *pflag.Flag) {
		to := all.Lookup(f.Name)
		if to == nil {
			return // --config
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			_ = to.Value.(pflag.SliceValue).Replace(list.GetSlice()) // the flag has taken it before
			return
		}
		_ = to.Value.Set(f.Value.String())
	})
	return &s, errors.Join(s.load(given, a.getenv, a.configFile)...)
}

// bind gives every option its default, and returns the flags that lead to them.
func (s *settings) bind() *pflag.FlagSet {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.addFlags(all, everywhere, planning, sizing, executing, completing, linting, serving, nowhere)
	return all
}

// texts are all settings as text, by their names in replank.toml.
func (s *settings) texts() map[string]string {
	var same settings
	all := same.bind()
	same = *s
	texts := map[string]string{}
	for _, o := range options {
		texts[o.toml()] = all.Lookup(o.name).Value.String()
	}
	return texts
}
