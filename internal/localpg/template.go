package localpg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// initdbOptions make every cluster alike: no password, UTF8, byte order as the collation.
var initdbOptions = []string{"--auth=trust", "--encoding=UTF8", "--locale=C", "--username=" + superuser, "--no-sync"}

// initData fills an empty data directory. initdb takes a second or more, so its result is kept in the cache, once per
// server version, and copied; a copy gets a system identifier of its own, as if initdb had made it.
func (c *Cluster) initData(ctx context.Context, data string) error {
	template, err := c.template(ctx)
	if err != nil {
		return err
	}
	if err := copyTree(template, data); err != nil {
		return fmt.Errorf("copy cluster template: %w", err)
	}
	if err := newSystemIdentifier(data); err != nil {
		return err
	}
	return c.owner.own(data)
}

// template returns the cached result of initdb for the cluster's programs.
func (c *Cluster) template(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(c.bin.Version + "\x00" + c.bin.Dir + "\x00" + strings.Join(initdbOptions, "\x00")))
	path := filepath.Join(cache, "template", fmt.Sprintf("%d-%s", c.bin.Major, hex.EncodeToString(key[:8])))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unlock, err := lockCache(cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil // another process was faster
	}
	scratch, err := c.owner.tempDir("replank-initdb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	made := filepath.Join(scratch, "data")
	cmd := exec.CommandContext(ctx, c.bin.program("initdb"), append([]string{"-D", made}, initdbOptions...)...)
	c.owner.apply(cmd, scratch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb (%s): %w\n%s", c.bin.Version, err, out)
	}
	return path, place(path, func(staging string) error { return copyTree(made, staging) })
}

// place makes a directory appear complete or not at all: fill works on a staging directory beside it.
func place(path string, fill func(staging string) error) error {
	if err := makePublicDir(filepath.Dir(path)); err != nil {
		return err
	}
	staging, err := os.MkdirTemp(filepath.Dir(path), ".staging-")
	if err != nil {
		return fmt.Errorf("create staging directory: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := os.Chmod(staging, 0o755); err != nil {
		return err
	}
	if err := fill(filepath.Join(staging, "x")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(staging, "x"), path); err != nil {
		if _, statErr := os.Stat(path); statErr == nil {
			return nil // another process was faster
		}
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	return nil
}

// makePublicDir is MkdirAll whose new directories everybody may enter, whatever the umask.
func makePublicDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makePublicDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create cache directory: %w", err)
	}
	return os.Chmod(dir, 0o755)
}

// lockCache keeps other processes from fetching or initialising the same thing at once.
func lockCache(cache string) (unlock func(), err error) {
	if err := makePublicDir(cache); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock cache: %w", err)
	}
	return func() { f.Close() }, nil
}

// copyTree copies a directory of plain files, directories and symbolic links, with their modes.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a running server (see Replica) removes files while we copy
			}
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(target, info.Mode().Perm())
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case d.Type().IsRegular():
			return copyFile(path, target, info.Mode().Perm())
		}
		return nil // sockets
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

// newSystemIdentifier gives a copied, cleanly shut down cluster an identifier of its own. Two servers with one
// identifier would look to Replank like a restored backup (and to PostgreSQL like primary and replica).
//
// The identifier is the first field of pg_control, whose last field is a CRC-32C of what is before it, and stands in
// the long header of the first page of every WAL segment, which has no checksum.
func newSystemIdentifier(data string) error {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("choose a system identifier: %w", err)
	}
	id[7] &= 0x7f // displayed as bigint by some
	controlFile := filepath.Join(data, "global", "pg_control")
	control, err := os.ReadFile(controlFile)
	if err != nil {
		return fmt.Errorf("new system identifier: %w", err)
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	crcAt := -1
	for at := 128; at+4 <= 512 && at+4 <= len(control); at += 4 {
		if binary.NativeEndian.Uint32(control[at:]) == crc32.Checksum(control[:at], castagnoli) {
			crcAt = at
			break
		}
	}
	if crcAt < 0 {
		return errors.New("new system identifier: pg_control has no valid checksum")
	}
	old := [8]byte(control[:8])
	copy(control, id[:])
	binary.NativeEndian.PutUint32(control[crcAt:], crc32.Checksum(control[:crcAt], castagnoli))
	if err := os.WriteFile(controlFile, control, 0o600); err != nil {
		return fmt.Errorf("new system identifier: %w", err)
	}
	segments, err := filepath.Glob(filepath.Join(data, "pg_wal", strings.Repeat("[0-9A-F]", 24)))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("new system identifier: no WAL segment in %s (%v)", data, err)
	}
	for _, segment := range segments {
		if err := patchSegment(segment, old, id); err != nil {
			return fmt.Errorf("new system identifier: %s: %w", segment, err)
		}
	}
	return nil
}

// patchSegment writes id over old in the header of a WAL segment.
func patchSegment(segment string, old, id [8]byte) error {
	const offset = 24 // after XLogPageHeaderData
	f, err := os.OpenFile(segment, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var present [8]byte
	if _, err := f.ReadAt(present[:], offset); err != nil {
		return err
	}
	if present != old {
		return fmt.Errorf("header carries %x instead of the system identifier %x", present, old)
	}
	_, err = f.WriteAt(id[:], offset)
	return err
}
