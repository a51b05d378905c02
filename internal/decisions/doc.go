// Package decisions keeps what people have decided about routes, how much each application is used, and where tenants
// are, in schema replank of the control database.
//
// # Why every gateway knows within a second
//
// Whoever decides adds one to replank.route_version in the same transaction, under that row's lock: a number stands for
// one set of decisions, and a higher one for a later set. Watch hears of it by notification, and asks for the number
// twice a second besides, because a notification can be lost with its connection. It reads rows and number in one
// statement, which sees one snapshot.
//
// # When a fence is in force
//
// Fence writes a placement, and waits until every row of replank.gateway says that its gateway follows it and has nothing
// of the tenant under way (Follow). It believes no gateway to be gone: one that it cannot reach may still serve.
//
// # While the database is gone
//
// Watch and Follow go on trying and say so in the log; who watches keeps what it has: what is fenced stays fenced.
package decisions
