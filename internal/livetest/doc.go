// Package livetest proves, on a real PostgreSQL and through the real engine, that an application may go on reading and
// writing through either shape while a migration is under way, whatever client it is and whatever breaks meanwhile.
// It holds tests only.
package livetest
