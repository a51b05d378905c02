package route

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Canary says who goes to the modern application while a template is in phase canary: who is listed, and a share of all
// others.
type Canary struct {
	// Share of the callers, 0 to 1. The same caller is always on the same side, and stays there when the share grows.
	Share float64 `json:"share,omitempty"`
	// Subjects and Tenants that go there in any case.
	Subjects []string `json:"subjects,omitempty"`
	Tenants  []string `json:"tenants,omitempty"`
	// Header, "Name: value", with which a request goes there in any case.
	Header string `json:"header,omitempty"`
}

// Caller is who sends a request.
type Caller struct {
	Subject string // "": nobody is logged in
	Tenant  string
	Address string // of the client: it stands for callers whom nobody knows
	Header  func(name string) string
}

// Picks reports whether a caller goes to the modern application. A tenant's users are on one side together.
func (c *Canary) Picks(w Caller) bool {
	if w.Subject != "" && slices.Contains(c.Subjects, w.Subject) || w.Tenant != "" && slices.Contains(c.Tenants, w.Tenant) {
		return true
	}
	if name, value, ok := strings.Cut(c.Header, ":"); ok && w.Header != nil && w.Header(strings.TrimSpace(name)) == strings.TrimSpace(value) {
		return true
	}
	key := "address " + w.Address
	switch {
	case w.Tenant != "":
		key = "tenant " + w.Tenant
	case w.Subject != "":
		key = "subject " + w.Subject
	}
	sum := sha256.Sum256([]byte(key))
	return float64(binary.BigEndian.Uint64(sum[:])>>11)/(1<<53) < c.Share
}

// Check says what is wrong with a decision.
func (d *Decision) Check() error {
	var wrong []error
	if d.App != Modern && d.App != Legacy {
		wrong = append(wrong, fmt.Errorf("there is no application %q: modern or legacy", d.App))
	}
	if d.Template == "" {
		wrong = append(wrong, errors.New("the template is missing"))
	}
	if !d.Phase.known() {
		wrong = append(wrong, fmt.Errorf("there is no phase %q: %s", d.Phase, phaseNames()))
	}
	if c := d.Canary; c.Share < 0 || c.Share > 1 {
		wrong = append(wrong, fmt.Errorf("a share of %v is not between 0 and 1", c.Share))
	}
	if h := d.Canary.Header; h != "" && !strings.Contains(h, ":") {
		wrong = append(wrong, fmt.Errorf("the header %q is not \"Name: value\"", h))
	}
	if d.ShadowWrites && d.Phase != PhaseShadow {
		return fmt.Errorf("only phase shadow sends requests to both applications, not %s", d.Phase)
	}
	if d.Phase != PhaseCanary && (d.Canary.Share != 0 || d.Canary.Subjects != nil || d.Canary.Tenants != nil || d.Canary.Header != "") {
		wrong = append(wrong, fmt.Errorf("phase %s takes no canary", d.Phase))
	}
	return errors.Join(wrong...)
}

func phaseNames() string {
	var names []string
	for _, p := range Phases {
		names = append(names, string(p.Name))
	}
	return strings.Join(names, ", ")
}
