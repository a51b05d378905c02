// Package route knows which application has a route: it reads the route documents of the modern and the legacy
// application, compiles them to a Table, and asks it for a method and a path.
//
// A document holds what the application's own framework matches, in the order and by the rules of that framework
// (docs/gateway-routes.md). Two kinds of matching are known: Django's, where the first route that matches wins and an
// include is never gone back into, and werkzeug's machine of path segments, where methods take part. What a document
// cannot say exactly is opaque: the Table answers that a trial is needed, and why, and never guesses.
//
// A Table is immutable and safe for concurrent use. Who swaps it holds it in an atomic pointer.
package route
