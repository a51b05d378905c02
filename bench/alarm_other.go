//go:build !linux

package main

import "time"

// alarm wakes a client at the moment a request is due, as exactly as the runtime can.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

func (*alarm) wait(due time.Time) error {
	time.Sleep(time.Until(due))
	return nil
}

func (*alarm) close() error { return nil }
