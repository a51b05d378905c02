// Package arch holds no code: its tests keep the import arrows and other rules of docs/design.md, section 3.
package arch
