package dap

import (
	"fmt"
	"mime"
	"strings"
)

// The values of the media type's message parameter, one for every message that
// is the content of an HTTP request or response.
const (
	MessageHpkeConfigList            = "hpke-config-list"
	MessageUploadReq                 = "upload-req"
	MessageUploadErrors              = "upload-errors"
	MessageAggregationJobInitReq     = "aggregation-job-init-req"
	MessageAggregationJobResp        = "aggregation-job-resp"
	MessageAggregationJobContinueReq = "aggregation-job-continue-req"
	MessageAggregateShareReq         = "aggregate-share-req"
	MessageAggregateShare            = "aggregate-share"
	MessageCollectionJobReq          = "collection-job-req"
	MessageCollectionJobResp         = "collection-job-resp"
)

const mediaType = "application/ppm-dap"

// The media types, as they are sent: without a space, which some peers expect.
const (
	MediaTypeHpkeConfigList            = mediaType + ";message=" + MessageHpkeConfigList
	MediaTypeUploadReq                 = mediaType + ";message=" + MessageUploadReq
	MediaTypeUploadErrors              = mediaType + ";message=" + MessageUploadErrors
	MediaTypeAggregationJobInitReq     = mediaType + ";message=" + MessageAggregationJobInitReq
	MediaTypeAggregationJobResp        = mediaType + ";message=" + MessageAggregationJobResp
	MediaTypeAggregationJobContinueReq = mediaType + ";message=" + MessageAggregationJobContinueReq
	MediaTypeAggregateShareReq         = mediaType + ";message=" + MessageAggregateShareReq
	MediaTypeAggregateShare            = mediaType + ";message=" + MessageAggregateShare
	MediaTypeCollectionJobReq          = mediaType + ";message=" + MessageCollectionJobReq
	MediaTypeCollectionJobResp         = mediaType + ";message=" + MessageCollectionJobResp
)

// MediaTypeMessage returns which message a Content-Type field announces, in
// lower case. It is lenient about case, spaces and further parameters, such as
// version, which is a hint without effect.
func MediaTypeMessage(contentType string) (message string, err error) {
	t, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", fmt.Errorf("parsing media type: %w", err)
	}
	if t != mediaType {
		return "", fmt.Errorf("media type %q, want %s", t, mediaType)
	}
	message = strings.ToLower(params["message"])
	if message == "" {
		return "", fmt.Errorf("media type %s without message parameter", mediaType)
	}
	return message, nil
}
