// Answers, line by line, what the API server reads out of a request body.
//
// Each line of standard input is a kind, a tab, a media type, a tab and the body in base64; each line of standard
// output is JSON: the strings in it that matter to the identity guards, or {"error": …} where the server's decoders
// refuse. It is an oracle for tests only.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	certificates "k8s.io/api/certificates/v1"
	certificatesbeta "k8s.io/api/certificates/v1beta1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/klog/v2"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

type answer struct {
	Error   string   `json:"error,omitempty"`
	Strings []string `json:"strings"`
}

type kind struct {
	gvk  schema.GroupVersionKind
	new  func() runtime.Object
	read func(runtime.Object) []string
}

var kinds = map[string]kind{
	"ConfigMap": {core.SchemeGroupVersion.WithKind("ConfigMap"), func() runtime.Object { return &core.ConfigMap{} }, readMeta},
	"SelfSubjectAccessReview": {
		authorization.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"),
		func() runtime.Object { return &authorization.SelfSubjectAccessReview{} },
		readAccess,
	},
	"Secret": {core.SchemeGroupVersion.WithKind("Secret"), func() runtime.Object { return &core.Secret{} }, readSecret},
	"Pod":    {core.SchemeGroupVersion.WithKind("Pod"), func() runtime.Object { return &core.Pod{} }, readPod},
	"TokenRequest": {
		authentication.SchemeGroupVersion.WithKind("TokenRequest"),
		func() runtime.Object { return &authentication.TokenRequest{} },
		func(object runtime.Object) []string { return object.(*authentication.TokenRequest).Spec.Audiences },
	},
	"CertificateSigningRequest": {
		certificates.SchemeGroupVersion.WithKind("CertificateSigningRequest"),
		func() runtime.Object { return &certificates.CertificateSigningRequest{} },
		func(object runtime.Object) []string {
			return []string{object.(*certificates.CertificateSigningRequest).Spec.SignerName}
		},
	},
	"PodCertificateRequest": {
		certificatesbeta.SchemeGroupVersion.WithKind("PodCertificateRequest"),
		func() runtime.Object { return &certificatesbeta.PodCertificateRequest{} },
		func(object runtime.Object) []string {
			return []string{object.(*certificatesbeta.PodCertificateRequest).Spec.SignerName}
		},
	},
}

// The name, the generateName, the namespace, the uid, and a word for each owner.
func readMeta(object runtime.Object) []string {
	meta := object.(*core.ConfigMap).ObjectMeta
	found := []string{meta.Name, meta.GenerateName, meta.Namespace, string(meta.UID)}
	for range meta.OwnerReferences {
		found = append(found, "owner")
	}
	return found
}

// None where the server would refuse the review as a whole.
func readAccess(object runtime.Object) []string {
	spec := object.(*authorization.SelfSubjectAccessReview).Spec
	if (spec.ResourceAttributes == nil) == (spec.NonResourceAttributes == nil) {
		return []string{}
	}
	if asked := spec.NonResourceAttributes; asked != nil {
		return []string{asked.Verb, asked.Path}
	}
	asked := spec.ResourceAttributes
	return []string{
		asked.Verb, asked.Namespace, asked.Group, asked.Version, asked.Resource, asked.Subresource, asked.Name,
	}
}

func readSecret(object runtime.Object) []string {
	secret := object.(*core.Secret)
	found := []string{string(secret.Type)}
	for key := range secret.Annotations {
		found = append(found, key)
	}
	return found
}

func readPod(object runtime.Object) []string {
	found := []string{}
	for _, container := range object.(*core.Pod).Spec.EphemeralContainers {
		found = append(found, container.Name, container.TargetContainerName)
		for _, mount := range container.VolumeMounts {
			found = append(found, mount.Name)
		}
	}
	return found
}

var codecs = newCodecs()

func newCodecs() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, authorization.AddToScheme, authentication.AddToScheme, certificates.AddToScheme, certificatesbeta.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			log.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(scheme)
}

func ask(line string) answer {
	name, rest, _ := strings.Cut(line, "\t")
	mediaType, encoded, _ := strings.Cut(rest, "\t")
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		log.Fatal(err)
	}
	asked := kinds[name]
	object, err := decode(asked, mediaType, body)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Strings: asked.read(object)}
}

func decode(asked kind, mediaType string, body []byte) (runtime.Object, error) {
	if mediaType == "application/apply-patch+yaml" {
		// As the apply patcher does, without the fields that the cluster holds already.
		fields := map[string]interface{}{}
		if err := yaml.Unmarshal(body, &fields); err != nil {
			return nil, err
		}
		object := asked.new()
		return object, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, object)
	}
	if strings.HasSuffix(mediaType, "-patch+json") {
		return patch(asked, mediaType, body)
	}
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		return nil, fmt.Errorf("no serializer for %s", mediaType)
	}
	object, gvk, err := info.Serializer.Decode(body, &asked.gvk, asked.new())
	if err == nil && *gvk != asked.gvk {
		err = fmt.Errorf("another kind: %v", gvk)
	}
	return object, err
}

// As the patchers do with an object that says nothing of itself yet. Some patches panic; the server survives that.
func patch(asked kind, mediaType string, body []byte) (_ runtime.Object, failed error) {
	defer func() {
		if reason := recover(); reason != nil {
			failed = fmt.Errorf("panic: %v", reason)
		}
	}()
	object := asked.new()
	original, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var patched []byte
	switch mediaType {
	case "application/json-patch+json":
		operations, err := jsonpatch.DecodePatch(body)
		if err != nil {
			return nil, err
		}
		if patched, err = operations.Apply(original); err != nil {
			return nil, err
		}
	case "application/merge-patch+json":
		if patched, err = jsonpatch.MergePatch(original, body); err != nil {
			return nil, err
		}
	case "application/strategic-merge-patch+json":
		return patchStrategically(asked, original, body)
	default:
		return nil, fmt.Errorf("no patcher for %s", mediaType)
	}
	return decode(asked, "application/json", patched)
}

func patchStrategically(asked kind, original []byte, body []byte) (runtime.Object, error) {
	before, change := map[string]interface{}{}, map[string]interface{}{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(original, &before); err != nil {
		return nil, err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &change); err != nil {
		return nil, err
	}
	after, err := strategicpatch.StrategicMergeMapPatch(before, change, asked.new())
	if err != nil {
		return nil, err
	}
	object := asked.new()
	return object, runtime.DefaultUnstructuredConverter.FromUnstructured(after, object)
}

func main() {
	klog.SetLogger(klog.Logger{})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<20), 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		if err := encoder.Encode(ask(lines.Text())); err != nil {
			log.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
