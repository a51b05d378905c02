//go:build linux || darwin

package migrate

import "syscall"

// diskFree is what an ordinary user may still write where path is.
func diskFree(path string) (bytes int64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
