// Package config owns the study file: what operators declare about studies, sites, users and
// service accounts, how such files are read and checked, and how they are brought into the
// registry. [Load] reads files into [Definitions] and reports everything that is wrong with
// them; [Apply] makes the deployment what the definitions say, in one transaction, and tells
// what differed. [Demo] is a study file to try the program with.
//
// The package knows no wire dialect and no storage engine; it declares the [Store] that it
// needs. Server settings are the command line's business.
package config
