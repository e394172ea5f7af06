package jobs

// Description is what a kind of job tells of one of its jobs, for those who show it.
type Description struct {
	Bulk    bool // it works through an uploaded file, and its output is a log
	Preview bool // it only tells what the file would do

	Register bool     // participants are registered, or an extract shows access codes
	Ignored  []string // columns of the file that nobody reads
	Source   string   // key of a copy of the file that outlives the job for a while; "" for none

	Progress float64 // how much is done, from 0 to 1
	Header   string  // the first line of its output
	FileName string  // of its output
}
