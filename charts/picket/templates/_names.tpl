{{/* Name of the release in names of objects, with room for the longest suffix. */}}
{{- define "picket.fullname" -}}
{{- $name := default "picket" .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels by which Services and policies find pods: never change over an upgrade. Takes root and component. */}}
{{- define "picket.selectorLabels" -}}
app.kubernetes.io/name: {{ default "picket" .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object. Takes root and component. */}}
{{- define "picket.labels" -}}
{{- include "picket.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: picket
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes root and image. */}}
{{- define "picket.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{/* Takes root, component and its values. */}}
{{- define "picket.serviceAccountName" -}}
{{- default (printf "%s-%s" (include "picket.fullname" .root) .component) .values.serviceAccount.name -}}
{{- end -}}

{{/* Name of the Secret with the certificate of a component. Takes root and component. */}}
{{- define "picket.tlsSecret" -}}
{{- if eq .root.Values.tls.mode "Secrets" -}}
{{- index .root.Values.tls.secrets .component -}}
{{- else -}}
{{- printf "%s-%s-tls" (include "picket.fullname" .root) .component -}}
{{- end -}}
{{- end -}}

{{/* DNS names under which a component is reached. Takes root and component. */}}
{{- define "picket.dnsNames" -}}
{{- $service := printf "%s-%s" (include "picket.fullname" .root) .component -}}
{{- $names := list $service (printf "%s.%s" $service .root.Release.Namespace) (printf "%s.%s.svc" $service .root.Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .root.Release.Namespace) -}}
{{- toJson $names -}}
{{- end -}}

{{- define "picket.natsUrl" -}}
{{- if eq .Values.nats.mode "Bundled" -}}
tls://{{ include "picket.fullname" . }}-nats.{{ .Release.Namespace }}.svc:4222
{{- else -}}
{{- .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{- define "picket.natsSecret" -}}
{{- if .Values.nats.existingSecret -}}
{{- .Values.nats.existingSecret -}}
{{- else if eq .Values.nats.mode "Bundled" -}}
{{- include "picket.fullname" . }}-nats-auth
{{- end -}}
{{- end -}}

{{/* Port of a URL. Takes url and default. */}}
{{- define "picket.portOf" -}}
{{- $host := (urlParse .url).host -}}
{{- if regexMatch ":[0-9]+$" $host -}}
{{- regexFind "[0-9]+$" $host -}}
{{- else -}}
{{- .default -}}
{{- end -}}
{{- end -}}

{{/* Control planes that are given objects, separated by commas. */}}
{{- define "picket.providers" -}}
{{- $on := list -}}
{{- if .Values.providers.envoyGateway.enabled -}}{{- $on = append $on "EnvoyGateway" -}}{{- end -}}
{{- if .Values.providers.istio.enabled -}}{{- $on = append $on "Istio" -}}{{- end -}}
{{- join "," $on -}}
{{- end -}}
