// Package deploy holds nothing but tests of the files beside it, by which Rollcall is run: the
// unit of systemd, the image, the Compose file and the Helm chart. They do not know what runs
// them; what its own tools check, docs/operating.md tells.
package deploy
