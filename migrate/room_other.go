//go:build !linux && !darwin

package migrate

func diskFree(string) (bytes int64, known bool) { return 0, false }
