package main

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

const (
	table   = "application/json;as=Table;v=v1;g=meta.k8s.io"
	manyKiB = 300 // the server compresses what is larger than 128 KiB
)

// raw is what goes beside the objects' own clients: other representations, other paths, odd calls.
func (s story[C, CL, D, DL]) raw(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		return err
	}
	plain := client.CoreV1().RESTClient()
	big := configMap("big", strings.Repeat("a line that repeats itself well\n", manyKiB*1024/32))
	if _, err := s.configMaps.Create(ctx, s.configMaps.parse(big), metav1.CreateOptions{}); err != nil {
		return err
	}
	s.record.take()
	found, err := s.configMaps.Get(ctx, "big", metav1.GetOptions{})
	s.did("gzip", found, err)

	fetch := func(step string, request *rest.Request) {
		body, err := request.DoRaw(ctx)
		s.did(step, canonical(body), err)
	}
	list := func(accept string) *rest.Request {
		return plain.Get().Namespace(s.namespace).Resource("configmaps").SetHeader("Accept", accept).Param("fieldSelector", "metadata.name=big")
	}
	fetch("table", list(table))
	fetch("not-acceptable", list("application/xml"))
	body, err := list(protobuf).DoRaw(ctx)
	s.did("protobuf", hex.EncodeToString(body[:min(len(body), 24)]), err)
	yaml, err := list("application/yaml").DoRaw(ctx)
	s.did("yaml", strings.Split(string(yaml), "\n")[0], err)
	for _, path := range []string{"/version", "/readyz", "/livez/ping", "/api", "/apis/apps/v1", "/nowhere", "/apis/none.example/v1/things"} {
		fetch("raw-"+path, plain.Get().AbsPath(path))
	}
	here := "/api/v1/namespaces/" + s.namespace
	fetch("raw-trailing-slash", plain.Get().RequestURI(here+"/configmaps/?limit=1"))
	fetch("raw-head", plain.Verb(http.MethodHead).AbsPath(here+"/configmaps"))
	fetch("raw-wrong-method", plain.Post().AbsPath(here+"/configmaps/big").Body([]byte("{}")))
	fetch("raw-bad-json", plain.Post().AbsPath(here+"/configmaps").Body([]byte("{")).SetHeader("Content-Type", "application/json"))
	fetch("raw-bad-media", plain.Post().AbsPath(here+"/configmaps").Body([]byte("<a/>")).SetHeader("Content-Type", "application/xml"))
	fetch("raw-bad-patch-media", plain.Patch("application/xml").AbsPath(here+"/configmaps/big").Body([]byte("{}")))
	fetch("raw-escaped-name", plain.Get().RequestURI("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"))
	fetch("raw-odd-selector", plain.Get().RequestURI(here+"/configmaps?labelSelector=a+in+(b,c),!d&limit=0"))
	fetch("raw-bad-selector", plain.Get().RequestURI(here+"/configmaps?labelSelector=a%3D%3D%3Db"))
	fetch("forbidden", plain.Get().AbsPath("/api/v1/nodes"))
	whoami, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, selfReview(), metav1.CreateOptions{})
	s.did("who-am-i", whoami, err)
	access, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, accessReview(s.namespace), metav1.CreateOptions{})
	s.did("may-i", access, err)
	if err := s.discover(); err != nil {
		return err
	}
	if err := s.metadata(ctx); err != nil {
		return err
	}
	s.did("delete-big", "deleted", s.configMaps.Delete(ctx, "big", metav1.DeleteOptions{}))
	return nil
}

// discover reads all there is: aggregated discovery, every kind, and OpenAPI.
func (s story[C, CL, D, DL]) discover() error {
	client, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return err
	}
	groups, lists, err := client.ServerGroupsAndResources()
	slices.SortFunc(lists, func(a, b *metav1.APIResourceList) int { return strings.Compare(a.GroupVersion, b.GroupVersion) })
	s.did("discovery", map[string]any{"groups": groups, "resources": lists}, err)
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	text, err := paths["apis/apps/v1"].Schema("application/com.github.proto-openapi.spec.v3.v1.0+protobuf")
	s.did("openapi", map[string]any{"paths": len(paths), "size": len(text)}, err)
	return nil
}

func (s story[C, CL, D, DL]) metadata(ctx context.Context) error {
	client, err := metadata.NewForConfig(s.config)
	if err != nil {
		return err
	}
	list, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(s.namespace).List(ctx, metav1.ListOptions{})
	s.did("metadata-only", list, err)
	return nil
}

func selfReview() *authenticationv1.SelfSubjectReview { return &authenticationv1.SelfSubjectReview{} }

func accessReview(namespace string) *authorizationv1.SelfSubjectAccessReview {
	wanted := authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "create", Resource: "configmaps"}
	return &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &wanted}}
}
