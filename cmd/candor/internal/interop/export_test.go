package interop

// Messages are the translations of the wire profile, for tests.
var (
	StrictInit        = strictInit
	JanusInit         = janusInit
	StrictContinue    = strictContinue
	StrictResponse    = strictResponse
	JanusResponse     = janusResponse
	JanusUploadErrors = janusUploadErrors
)

// ParseUpload does of a call to upload what comes before anybody is asked.
func ParseUpload(text []byte) ([]uint64, error) {
	r, err := parse[uploadRequest](text)
	if err != nil {
		return nil, err
	}
	task, err := r.task()
	if err != nil {
		return nil, err
	}
	return parseMeasurement(task.Config.VDAF, r.Measurement)
}
