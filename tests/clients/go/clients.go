package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// resources is what typed clients have in common; dynamic ones are brought to it.
type resources[T, L runtime.Object] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
	DeleteCollection(context.Context, metav1.DeleteOptions, metav1.ListOptions) error
	Get(context.Context, string, metav1.GetOptions) (T, error)
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
	Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (T, error)
}

// kind is one kind of object, and how to make one from its JSON.
type kind[T, L runtime.Object] struct {
	resources[T, L]
	fresh func() T
}

func (k kind[T, L]) parse(text string) T {
	object := k.fresh()
	if err := json.Unmarshal([]byte(text), object); err != nil {
		panic(err)
	}
	return object
}

// inCluster is the configuration that a pod has. No client of ours paces itself.
func inCluster(record *recorder) (*rest.Config, string, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, "", err
	}
	config.QPS = -1
	if record != nil {
		config.Wrap(record.wrap)
	}
	return config, namespaceOfPod(), nil
}

func namespaceOfPod() string {
	namespace, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(namespace))
}

func tellTyped(ctx context.Context, _ []string) error {
	record := &recorder{}
	config, namespace, err := inCluster(record)
	if err != nil {
		return err
	}
	typed := rest.CopyConfig(config)
	typed.ContentType = protobuf
	typed.AcceptContentTypes = protobuf + ",application/json"
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return err
	}
	configMaps := client.CoreV1().ConfigMaps(namespace)
	return story[*corev1.ConfigMap, *corev1.ConfigMapList, *appsv1.Deployment, *appsv1.DeploymentList]{
		config:      config,
		namespace:   namespace,
		record:      record,
		configMaps:  kind[*corev1.ConfigMap, *corev1.ConfigMapList]{configMaps, newOf[corev1.ConfigMap]},
		deployments: kind[*appsv1.Deployment, *appsv1.DeploymentList]{client.AppsV1().Deployments(namespace), newOf[appsv1.Deployment]},
		apply: func(manager, text string, force bool) (*corev1.ConfigMap, error) {
			wanted := corev1apply.ConfigMap("", "")
			if err := json.Unmarshal([]byte(text), wanted); err != nil {
				return nil, err
			}
			return configMaps.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: manager, Force: force})
		},
	}.tell(ctx)
}

func newOf[T any]() *T { return new(T) }

func tellDynamic(ctx context.Context, _ []string) error {
	record := &recorder{}
	config, namespace, err := inCluster(record)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	of := func(group, resource string) dynamicResources {
		return dynamicResources{client.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}).Namespace(namespace)}
	}
	configMaps := of("", "configmaps")
	return story[*unstructured.Unstructured, *unstructured.UnstructuredList, *unstructured.Unstructured, *unstructured.UnstructuredList]{
		config:      config,
		namespace:   namespace,
		record:      record,
		configMaps:  kind[*unstructured.Unstructured, *unstructured.UnstructuredList]{configMaps, newOf[unstructured.Unstructured]},
		deployments: kind[*unstructured.Unstructured, *unstructured.UnstructuredList]{of("apps", "deployments"), newOf[unstructured.Unstructured]},
		apply: func(manager, text string, force bool) (*unstructured.Unstructured, error) {
			wanted := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(text), wanted); err != nil {
				return nil, err
			}
			return configMaps.client.Apply(ctx, wanted.GetName(), wanted, metav1.ApplyOptions{FieldManager: manager, Force: force})
		},
	}.tell(ctx)
}

// dynamicResources leaves out the subresources that a dynamic client takes everywhere.
type dynamicResources struct{ client dynamic.ResourceInterface }

func (r dynamicResources) Create(ctx context.Context, object *unstructured.Unstructured, options metav1.CreateOptions) (*unstructured.Unstructured, error) {
	return r.client.Create(ctx, object, options)
}

func (r dynamicResources) Update(ctx context.Context, object *unstructured.Unstructured, options metav1.UpdateOptions) (*unstructured.Unstructured, error) {
	return r.client.Update(ctx, object, options)
}

func (r dynamicResources) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return r.client.Delete(ctx, name, options)
}

func (r dynamicResources) DeleteCollection(ctx context.Context, options metav1.DeleteOptions, list metav1.ListOptions) error {
	return r.client.DeleteCollection(ctx, options, list)
}

func (r dynamicResources) Get(ctx context.Context, name string, options metav1.GetOptions) (*unstructured.Unstructured, error) {
	return r.client.Get(ctx, name, options)
}

func (r dynamicResources) List(ctx context.Context, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return r.client.List(ctx, options)
}

func (r dynamicResources) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return r.client.Watch(ctx, options)
}

func (r dynamicResources) Patch(ctx context.Context, name string, kind types.PatchType, patch []byte, options metav1.PatchOptions, subresources ...string) (*unstructured.Unstructured, error) {
	return r.client.Patch(ctx, name, kind, patch, options, subresources...)
}
