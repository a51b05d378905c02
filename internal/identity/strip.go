package identity

import (
	"bytes"
	"net/http"
)

const (
	// TokenHeader carries the token to the applications.
	TokenHeader = "Replank-Identity"
	// EndedHeader tells an application that the session which the request shows was revoked. It is not signed: it can only
	// take away.
	EndedHeader = "Replank-Session-Ended"
	// IntrospectHeader marks the gateway's own question whose session the request shows. The companion answers it itself, so
	// it opens nothing to whoever else sends it.
	IntrospectHeader = "Replank-Introspect"
)

// foreign are headers of other gateways in which applications look for a user.
var foreign = map[string]bool{
	"remote-user": true, "x-remote-user": true, "x-forwarded-user": true, "x-forwarded-email": true,
	"x-forwarded-preferred-username": true, "x-forwarded-groups": true, "x-forwarded-access-token": true,
	"x-auth-request-user": true, "x-auth-request-email": true, "x-auth-request-groups": true,
	"x-auth-request-preferred-username": true, "x-auth-request-access-token": true, "x-authenticated-user": true,
	"x-authenticated-userid": true, "x-webauth-user": true, "ssl-client-s-dn": true, "x-ssl-client-s-dn": true,
}

// Strip removes the headers by which somebody outside could say who he is: all that begin with Replank-, those in which
// other gateways name a user, and the given ones. A WSGI server writes Replank_Identity, REPLANK-IDENTITY and
// replank-identity as the same variable, others fold dots, too; so names are compared by letters and digits, and
// everything else counts as a dash. Call it with the request's Trailer as well, and before anything of ours is added.
func Strip(h http.Header, more ...string) {
	var room, other [64]byte // for any name that is one of these: no memory is taken for each
	for name := range h {
		folded := fold(room[:0], name)
		if string(folded) == "replank" || bytes.HasPrefix(folded, []byte("replank-")) || foreign[string(folded)] {
			delete(h, name)
			continue
		}
		for _, m := range more {
			if bytes.Equal(folded, fold(other[:0], m)) {
				delete(h, name)
			}
		}
	}
}

// fold appends a name as the most careless reader would see it.
func fold(to []byte, name string) []byte {
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			to = append(to, byte(r))
		case 'A' <= r && r <= 'Z':
			to = append(to, byte(r)+'a'-'A')
		default:
			to = append(to, '-')
		}
	}
	return bytes.Trim(to, "-")
}
