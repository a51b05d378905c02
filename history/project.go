package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/replank/replank/python"
)

// Project is a Django or Alembic project on disk.
type Project struct {
	Dir string // the folder of manage.py or alembic.ini
	// Framework is django or alembic, for a folder that holds both. Default: what the folder holds, Django first.
	Framework string
	// Python is the interpreter that has the project's packages. Default: that of .venv or venv in Dir, else python3.
	Python string
	// Settings is Django's settings module. Default: what manage.py says.
	Settings string
	// Models asks for the tables of the models as the code has them, too: [Export.Models]. Default: only what migrations
	// say.
	Models bool
	// ServerVersion is the server_version_num that the SQL is for. Default: the newest that Replank knows.
	ServerVersion int
}

// The files that make a folder a project, and of which framework.
const (
	manageFile  = "manage.py"
	alembicFile = "alembic.ini"

	django  = "django"
	alembic = "alembic"
)

// ProjectAt is the project of a folder, or of the file manage.py or alembic.ini itself, for a folder that holds both.
func ProjectAt(path string) (Project, bool) {
	if dir, file := filepath.Split(path); file == manageFile && exists(path) {
		return Project{Dir: filepath.Clean(dir), Framework: django}, true
	} else if file == alembicFile && exists(path) {
		return Project{Dir: filepath.Clean(dir), Framework: alembic}, true
	}
	if found := projectsIn(path); len(found) > 0 {
		return found[0], true
	}
	return Project{}, false
}

// Path leads [ProjectAt] to the project: its folder, or its file where that holds two.
func (p Project) Path() string {
	if len(projectsIn(p.Dir)) < 2 {
		return p.Dir
	}
	return filepath.Join(p.Dir, map[string]string{django: manageFile, alembic: alembicFile}[p.Framework])
}

// Projects are the projects at a path: that of ProjectAt, both where a folder holds both, and where it holds none those
// of the folders below, three levels deep.
func Projects(path string) []Project {
	if p, ok := ProjectAt(path); ok && p.Dir != path {
		return []Project{p}
	}
	return projectsBelow(path, 3)
}

func projectsIn(dir string) []Project {
	var found []Project
	if exists(filepath.Join(dir, manageFile)) {
		found = append(found, Project{Dir: dir, Framework: django})
	}
	if exists(filepath.Join(dir, alembicFile)) {
		found = append(found, Project{Dir: dir, Framework: alembic})
	}
	return found
}

func projectsBelow(dir string, depth int) []Project {
	found := projectsIn(dir)
	if len(found) > 0 || depth == 0 {
		return found
	}
	entries, _ := os.ReadDir(dir) // a folder that cannot be read holds no project of ours
	for _, e := range entries {
		below := filepath.Join(dir, e.Name())
		if e.IsDir() && holdsSources(below, e.Name()) {
			found = append(found, projectsBelow(below, depth-1)...)
		}
	}
	return found
}

// holdsSources says that a folder may hold what people have written, and not what tools have put there.
func holdsSources(dir, name string) bool {
	return !strings.HasPrefix(name, ".") && name != "node_modules" && name != "__pycache__" && !exists(filepath.Join(dir, "pyvenv.cfg"))
}

// isDjango says how the project is loaded.
func (p Project) isDjango() bool {
	return p.Settings != "" || p.Framework != alembic && exists(filepath.Join(p.Dir, manageFile))
}

// Export loads the project with its own interpreter, which needs no package of Replank, and reads its history. It runs
// the project's code: its settings, or its env.py.
func (p Project) Export(ctx context.Context) (*Export, error) {
	var args []string
	if p.isDjango() {
		if p.Models {
			args = append(args, "--models")
		}
		if p.ServerVersion != 0 {
			args = append(args, "--server-version", fmt.Sprint(p.ServerVersion))
		}
	}
	document, err := p.call(ctx, "export", args...)
	if err != nil {
		return nil, err
	}
	e, err := DecodeExport(document, p.Dir, p.Dir)
	if err == nil {
		e.loaded = true
	}
	return e, err
}

// Adoption is what the migrations are to say by which a project takes tables over, or gives them up.
type Adoption struct {
	Models []string // of Django: billing.Invoice
	Name   string   // of the migrations, behind their number: adopt_invoices
	Why    string   // a comment at the top of the files
	Write  bool     // default: only say what would be written
}

// Written is a file that Adopt has written, or would write.
type Written struct {
	App  string `json:"app"`  // of Django
	Name string `json:"name"` // "" = not known before it is written
	Path string `json:"path"`
	Text string `json:"text"`
}

// Adopt writes migrations that change what the framework knows of tables, and nothing in a database: for Django the
// changes of its models' state, one migration for each app; for Alembic a revision that only marks the place.
func (p Project) Adopt(ctx context.Context, a Adoption) ([]Written, error) {
	args := []string{"--why", a.Why}
	if p.isDjango() {
		args = append(args, "--name", a.Name)
		for _, m := range a.Models {
			args = append(args, "--model", m)
		}
	} else {
		args = append(args, "--message", strings.ReplaceAll(a.Name, "_", " "))
	}
	if a.Write {
		args = append(args, "--write")
	}
	document, err := p.call(ctx, "adopt", args...)
	if err != nil {
		return nil, err
	}
	var written []Written
	if err := json.Unmarshal(document, &written); err != nil {
		return nil, &Error{Path: p.Dir, Err: err}
	}
	return written, nil
}

// call lets the companion package do something in the project, and returns the document that it writes.
func (p Project) call(ctx context.Context, action string, args ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "replank-export-")
	if err != nil {
		return nil, &Error{Path: p.Dir, Err: err}
	}
	defer os.RemoveAll(dir)
	if err := python.Write(dir); err != nil {
		return nil, &Error{Path: p.Dir, Err: err}
	}
	file := filepath.Join(dir, "export.json")
	cmd, err := p.command(ctx, dir, action, append(args, "-o", file)...)
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, &Error{Path: p.Dir, Err: ctx.Err()}
		}
		return nil, &Error{Path: p.Dir, Err: errors.New(said(stderr.String(), err)),
			hint: "replank loads the project with " + cmd.Path + "; name another interpreter if its packages are elsewhere"}
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{Path: p.Dir, Err: fmt.Errorf("the export wrote nothing: %s", said(stderr.String(), err))}
	}
	return document, nil
}

// command is a process of the companion package, which stands in the folder lib, at the project.
func (p Project) command(ctx context.Context, lib, action string, args ...string) (*exec.Cmd, error) {
	where := []string{"-m", "replank.django", action}
	switch {
	case p.Settings != "":
		where = append(where, "--settings", p.Settings)
	case p.isDjango():
		where = append(where, "--manage", manageFile)
	case exists(filepath.Join(p.Dir, alembicFile)):
		where = []string{"-m", "replank.alembic", action, "-c", alembicFile}
	default:
		return nil, &Error{Path: p.Dir, Err: errors.New("neither a manage.py nor an alembic.ini in this folder")}
	}
	interpreter, err := p.interpreter()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, interpreter, append(where, args...)...)
	cmd.Dir = p.Dir
	cmd.Env = cmd.Environ()
	path := "PYTHONPATH=" + lib
	for _, v := range cmd.Env {
		if old, ok := strings.CutPrefix(v, "PYTHONPATH="); ok && old != "" {
			path = "PYTHONPATH=" + lib + string(os.PathListSeparator) + old
		}
	}
	// Some of what frameworks write follows the order of sets: the same every time, at least.
	cmd.Env = append(cmd.Env, path, "PYTHONHASHSEED=0")
	return cmd, nil
}

func (p Project) interpreter() (string, error) {
	if p.Python != "" {
		return p.Python, nil
	}
	below := filepath.Join("bin", "python")
	if runtime.GOOS == "windows" {
		below = filepath.Join("Scripts", "python.exe")
	}
	for _, venv := range []string{".venv", "venv"} {
		if path := filepath.Join(venv, below); exists(filepath.Join(p.Dir, path)) {
			return filepath.Abs(filepath.Join(p.Dir, path))
		}
	}
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &Error{Path: p.Dir, Err: errors.New("there is no python3 to load the project with"),
		hint: "activate the project's environment, or name its interpreter"}
}

// said is what the exporter says of its failure: its last line.
func said(stderr string, err error) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if last == "" {
		return err.Error()
	}
	return strings.TrimPrefix(last, "replank: ")
}
