package gateway

import (
	"net/http"
	"strings"

	"github.com/replank/replank/internal/identity"
)

// The headers between the gateway and the two applications. None of them passes from a client or to one.
const (
	headerTrial    = "Replank-Trial"        // to the modern application: answer with a label if there is no such route
	headerAsk      = "Replank-Ask"          // to the modern application's /.replank/ask: "POST /path"
	headerNotFound = "Replank-Not-Found"    // from the modern application: what was not found, see label
	headerMethods  = "Replank-Methods"      // from /.replank/ask: the methods of the route, where they are known
	headerBuild    = "Replank-Build"        // from the modern application: which build answers
	headerShadow   = "Replank-Shadow"       // to both: the answer is compared and thrown away
	headerGuard    = "Replank-Shadow-Guard" // from the modern application: how what a shadow request wrote was undone
)

// ownPrefix is where the companions answer the gateway. Nobody else may ask there.
const ownPrefix = "/.replank"

// keysPath is where the applications read the keys that identities are signed with.
const keysPath = ownPrefix + "/jwks.json"

// untrusted are headers that tell an application where a request came from, or where it should pretend that it goes.
// From a client they are lies. Forwarded and X-Forwarded-{For,Host,Proto} are taken out by ReverseProxy itself.
var untrusted = []string{
	"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Scheme",
	"X-Real-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Http-Method-Override",
}

// clean takes out of a client's headers what only the gateway may say, and what could be read in two ways behind it.
func clean(h http.Header, peerTrusted bool) {
	identity.Strip(h)
	for name := range h {
		// WSGI and CGI turn both - and _ into _, so that X_Forwarded_For would be read as X-Forwarded-For and
		// Replank_Identity as Replank-Identity. No header of a standard has a _; nginx drops them, too.
		if strings.Contains(name, "_") {
			delete(h, name)
		}
	}
	// CGI programs read it as HTTP_PROXY, and send their own requests there (httpoxy, CVE-2016-5385).
	delete(h, "Proxy")
	if !peerTrusted {
		for _, name := range untrusted {
			delete(h, name)
		}
	}
	// Another protocol than WebSocket (h2c) would make a tunnel through which requests pass that nobody has looked at.
	if up := h["Upgrade"]; up != nil && (len(up) != 1 || !strings.EqualFold(strings.TrimSpace(up[0]), "websocket")) {
		delete(h, "Upgrade")
	}
}

// forget takes out of an answer what was for the gateway.
func forget(h http.Header) {
	for _, name := range []string{headerNotFound, headerBuild, headerMethods, headerGuard, headerHop, headerHopBy} {
		delete(h, name)
	}
}
