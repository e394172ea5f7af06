package deploy

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

const root = ".." // of the repository

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// find answers what the expression's group matches in a text.
func find(t *testing.T, text, expression string) string {
	t.Helper()
	m := regexp.MustCompile(expression).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing matches %s in:\n%s", expression, text)
	}
	return m[1]
}

// TestImage builds the program with the very line of the Dockerfile.
func TestImage(t *testing.T) {
	t.Parallel()
	dockerfile := read(t, "docker/Dockerfile")
	for _, m := range regexp.MustCompile(`(?m)^COPY ((?:[^-\s]\S* )+)\S+$`).FindAllStringSubmatch(dockerfile, -1) {
		for _, path := range strings.Fields(m[1]) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("the image is made with %s: %v", path, err)
			}
		}
	}
	if want, have := find(t, read(t, root+"/go.mod"), `(?m)^go (\d+\.\d+)`), find(t, dockerfile, `golang:(\S+)`); have != want {
		t.Errorf("the image is built with Go %s, go.mod asks for %s", have, want)
	}
	if last := dockerfile[strings.LastIndex(dockerfile, "\nFROM "):]; !strings.HasPrefix(last, "\nFROM scratch\n") {
		t.Errorf("the image has something else below it than nothing:\n%s", last)
	}
	program := build(t, find(t, dockerfile, `(?m)^RUN (.*go build.*)$`))
	t.Run("static", func(t *testing.T) {
		t.Parallel()
		static(t, program)
	})
	t.Run("variables", func(t *testing.T) {
		t.Parallel()
		known := variables(t, program)
		for _, file := range texts(t) {
			for _, name := range regexp.MustCompile(`\bROLLCALL_[A-Z0-9_]+`).FindAllString(read(t, file), -1) {
				if !known[name] {
					t.Errorf("%s names %s, which is no variable of the program", file, name)
				}
			}
		}
	})
}

// build runs a line of the Dockerfile here and answers the program that it makes.
func build(t *testing.T, line string) string {
	t.Helper()
	image := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "/image/", image+"/"))
	command.Dir = root
	command.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH, "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return filepath.Join(image, "rollcall")
}

// static fails if the program needs anything to be loaded beside it.
func static(t *testing.T, program string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has a segment %s", p.Type)
		}
	}
}

// variables are those that the program's help names.
func variables(t *testing.T, program string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, command := range []string{"serve", "copy", "import", "token"} {
		out, err := exec.CommandContext(t.Context(), program, command, "--help").Output()
		if err != nil {
			t.Fatalf("help of %s: %v", command, err)
		}
		for _, m := range regexp.MustCompile(`\$(ROLLCALL_[A-Z0-9_]+)`).FindAllStringSubmatch(string(out), -1) {
			known[m[1]] = true
		}
	}
	return known
}

// texts are the files in which operators read how the program is set.
func texts(t *testing.T) []string {
	t.Helper()
	files := []string{root + "/docs/operating.md"}
	for _, pattern := range []string{"systemd/*", "docker/*", "compose/*", "helm/rollcall/*.yaml", "helm/rollcall/templates/*", "helm/testdata/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	return files
}
