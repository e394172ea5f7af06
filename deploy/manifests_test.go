package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// grace is how long the program lets requests finish if nothing else is said.
const grace = 30 * time.Second

// decode reads a piece of YAML into a type that names all that is looked at.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCompose(t *testing.T) {
	t.Parallel()
	var project struct {
		Services map[string]struct {
			Image     string
			Build     struct{ Context, Dockerfile string }
			Grace     string            `yaml:"stop_grace_period"`
			Variables map[string]string `yaml:"environment"`
			Volumes   []string
			DependsOn any `yaml:"depends_on"`
		}
		Volumes map[string]any
	}
	decode(t, read(t, "compose/compose.yaml"), &project)
	node := project.Services["rollcall"]
	if _, err := os.Stat(filepath.Join("compose", node.Build.Context, node.Build.Dockerfile)); err != nil {
		t.Errorf("the image cannot be built: %v", err)
	}
	if have, least := duration(t, node.Grace), duration(t, node.Variables["ROLLCALL_SHUTDOWN_DELAY"])+grace; have <= least {
		t.Errorf("a node is killed after %s, it may take %s to stop", have, least)
	}
	for name, service := range project.Services {
		if service.Image == "" {
			t.Errorf("%s has no image", name)
		}
		for _, volume := range service.Volumes {
			from, _, _ := strings.Cut(strings.NewReplacer("${STUDY_FILE:-", "", "}", "").Replace(volume), ":")
			if _, named := project.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join("compose", from)); err != nil {
				t.Errorf("%s mounts %s: %v", name, from, err)
			}
		}
	}
}

func TestUnit(t *testing.T) {
	t.Parallel()
	unit := read(t, "systemd/rollcall.service")
	limit, err := strconv.Atoi(find(t, unit, `(?m)^TimeoutStopSec=(\d+)$`))
	if err != nil {
		t.Fatal(err)
	}
	least := grace + duration(t, find(t, read(t, "systemd/postgresql.conf"), `(?m)^Environment=ROLLCALL_SHUTDOWN_DELAY=(\S+)$`))
	if have := time.Duration(limit) * time.Second; have <= least {
		t.Errorf("a node is killed after %s, it may take %s to stop", have, least)
	}
	for line := range strings.Lines(unit) {
		if !regexp.MustCompile(`^(#.*|\[[A-Z][a-z]+\]|[A-Za-z]+=.*)?\n$`).MatchString(line) {
			t.Errorf("this is no line of a unit: %q", line)
		}
	}
}

// manifest is what is looked at of anything that the chart renders to.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Selector any
		Template pod
	}
}

type pod struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		Grace      int `yaml:"terminationGracePeriodSeconds"`
		Containers []container
		Volumes    []struct{ Name string }
	}
}

type container struct {
	Ports          []struct{ Name string }
	Env            []struct{ Name, Value string }
	StartupProbe   probe `yaml:"startupProbe"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	VolumeMounts   []struct {
		Name, MountPath string
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port, Scheme string } `yaml:"httpGet"`
}

// manifests are what the chart renders to with the values of that name; scripts/lint-chart.sh
// holds the files to the chart.
func manifests(t *testing.T, name string) map[string]manifest {
	t.Helper()
	all := map[string]manifest{}
	for _, text := range strings.Split(read(t, "helm/testdata/"+name+".yaml"), "---\n")[1:] {
		var m manifest
		decode(t, text, &m)
		if _, twice := all[m.Kind]; twice {
			t.Errorf("there are two of kind %s", m.Kind)
		}
		all[m.Kind] = m
	}
	return all
}

func TestChart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, scheme string
		kinds        []string
	}{
		{"least", "HTTP", []string{"Deployment", "PodDisruptionBudget", "Service"}},
		{"all", "HTTPS", []string{"ConfigMap", "Deployment", "Ingress", "PodDisruptionBudget", "Service", "ServiceAccount"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := manifests(t, test.name)
			for _, kind := range test.kinds {
				if all[kind].Metadata.Name != "demo-rollcall" && kind != "ConfigMap" {
					t.Errorf("the %s is named %q", kind, all[kind].Metadata.Name)
				}
			}
			if len(all) != len(test.kinds) {
				t.Errorf("%d kinds, want %v", len(all), test.kinds)
			}
			checkPod(t, all["Deployment"].Spec.Template, test.scheme)
			checkSelectors(t, all)
		})
	}
}

func checkPod(t *testing.T, p pod, scheme string) {
	t.Helper()
	node := p.Spec.Containers[0]
	for _, c := range []struct {
		of   string
		have probe
		path string
	}{
		{"startup", node.StartupProbe, "/healthz"}, {"liveness", node.LivenessProbe, "/healthz"}, {"readiness", node.ReadinessProbe, "/readyz"},
	} {
		want := probe{}
		want.HTTPGet.Path, want.HTTPGet.Port, want.HTTPGet.Scheme = c.path, node.Ports[0].Name, scheme
		if diff := cmp.Diff(want, c.have); diff != "" {
			t.Errorf("the probe of %s (-want +have):\n%s", c.of, diff)
		}
	}
	given := map[string]string{}
	for _, v := range node.Env {
		given[v.Name] = v.Value
	}
	least := duration(t, given["ROLLCALL_SHUTDOWN_DELAY"]) + duration(t, given["ROLLCALL_SHUTDOWN_GRACE"])
	if have := time.Duration(p.Spec.Grace) * time.Second; have <= least {
		t.Errorf("a pod is killed after %s, it may take %s to stop", have, least)
	}
	volumes := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range node.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %s to mount", m.Name)
		}
		delete(volumes, m.Name)
	}
	if len(volumes) > 0 {
		t.Errorf("volumes that nothing mounts: %v", volumes)
	}
}

// checkSelectors fails if a selector finds pods other than the deployment's, or none.
func checkSelectors(t *testing.T, all map[string]manifest) {
	t.Helper()
	labels := all["Deployment"].Spec.Template.Metadata.Labels
	for _, kind := range []string{"Deployment", "PodDisruptionBudget", "Service"} {
		selector, _ := all[kind].Spec.Selector.(map[string]any)
		if match, ok := selector["matchLabels"].(map[string]any); ok {
			selector = match
		}
		if len(selector) != 2 {
			t.Errorf("%s selects by %v", kind, selector)
		}
		for label, want := range selector {
			if labels[label] != want {
				t.Errorf("%s selects %s=%v, pods have %q", kind, label, want, labels[label])
			}
		}
	}
}
