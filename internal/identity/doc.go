// Package identity knows who sends a request, and tells both applications in the same words.
//
// A browser carries the session of either application: Django's cookie and its row, Flask's signed cookie, a bearer
// token, or something that only the application can read (introspection). Identify verifies what is there and looks the
// user up in the table that both applications share. Apply hands the answer on as a token that lives for a minute
// at most, made for one application, signed with a key that only gateways have. docs/gateway-identity.md is the contract.
//
// # Why a logout works everywhere within a second
//
// What Identify has found out is believed for [Config.Recheck] (half a second) and then asked anew: the session's row, the
// user's password and is_active, and table replank.revoked. So whatever ends a session anywhere ends it here, notified
// or not, and no list of revoked sessions has to be kept in memory. The notification makes it a matter of milliseconds:
// what was found out before it came is not believed any longer.
//
// # Why nothing of outside is believed
//
// [Strip] removes every header that an application could take for ours. A cookie is not decompressed or parsed before its
// signature is right. Algorithms are those of the configuration, never those that a token names. What cannot be found out
// is an error (the gateway answers 503), never "nobody" and never "somebody".
package identity
