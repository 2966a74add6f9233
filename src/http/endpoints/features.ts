import { createFeature, deleteFeature, getFeature, listFeatures, updateFeature } from '../../operations/features.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  createFeatureInput,
  displayOf,
  featureIdInput,
  featureType,
  nothingInput,
  redefinitionOf,
  updateFeatureInput,
} from '../wire/features.ts'
import { showFeature } from './show.ts'

export const features: readonly Endpoint[] = [
  endpoint({
    operation: 'features.create',
    shape: 'feature',
    input: createFeatureInput,
    kind: 'write',
    run: (context, input) =>
      createFeature(context, {
        id: input.feature_id,
        name: input.name,
        type: featureType(input),
        eventNames: input.event_names ?? [],
        display: displayOf(input.display ?? null),
      }),
    show: showFeature,
  }),
  endpoint({
    operation: 'features.get',
    shape: 'feature',
    input: featureIdInput,
    kind: 'read',
    run: (context, input) => getFeature(context, input.feature_id),
    show: showFeature,
  }),
  endpoint({
    operation: 'features.list',
    shape: 'features',
    input: nothingInput,
    kind: 'read',
    run: (context) => listFeatures(context),
    show: (views) => ({ list: views.map(showFeature) }),
  }),
  endpoint({
    operation: 'features.update',
    shape: 'feature',
    input: updateFeatureInput,
    kind: 'write',
    run: (context, input) => updateFeature(context, input.feature_id, redefinitionOf(input)),
    show: showFeature,
  }),
  endpoint({
    operation: 'features.delete',
    shape: 'success',
    input: featureIdInput,
    kind: 'write',
    run: (context, input) => deleteFeature(context, input.feature_id),
    show: (success) => success,
  }),
]
