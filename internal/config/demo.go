package config

import _ "embed" // the demo's study file

//go:embed demo.yaml
var demo string

// DemoPassword is the password of every user of the demo.
const DemoPassword = "rollcall-demo"

// Demo returns the study file of the demo: two studies and a user of every role. It has no
// service account, because whoever runs the demo makes its key.
func Demo() File { return File{Name: "demo.yaml", Data: []byte(demo)} }
