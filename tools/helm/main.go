// Command helm does with a chart what helm lint --strict and helm template do, through Helm's
// own packages: the whole program would bring a client of Kubernetes along and take twice as
// long to build. It prints what the chart renders to with the values given, and what is wrong
// with it.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

// The release and the version of Kubernetes for which charts are rendered.
const (
	release = "demo"
	version = "v1.30.0"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: helm CHART VALUES")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(folder, valuesFile string) error {
	values, err := chartutil.ReadValuesFile(valuesFile)
	if err != nil {
		return err
	}
	kubernetes, err := chartutil.ParseKubeVersion(version)
	if err != nil {
		return err
	}
	var found []error
	for _, message := range lint.AllWithKubeVersion(folder, values, "default", kubernetes).Messages {
		if message.Severity >= support.WarningSev {
			found = append(found, message)
		}
	}
	return errors.Join(append(found, render(folder, values, kubernetes))...)
}

// render prints the manifests by name, each of them read once as YAML without doubled keys.
func render(folder string, values chartutil.Values, kubernetes *chartutil.KubeVersion) error {
	chart, err := loader.Load(folder)
	if err != nil {
		return err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *kubernetes
	options := chartutil.ReleaseOptions{Name: release, Namespace: "default", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, capabilities)
	if err != nil {
		return err
	}
	rendered, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		text := strings.TrimSpace(rendered[name])
		if path.Ext(name) != ".yaml" || text == "" {
			continue
		}
		var manifest map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &manifest); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("---\n# %s\n%s\n", name, text)
	}
	return nil
}
