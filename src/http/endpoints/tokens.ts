import { withNewcomer } from '../../operations/ensure.ts'
import { trackTokens } from '../../operations/tokens.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { trackTokensInput } from '../wire/tokens.ts'
import { showTracked } from './show.ts'
import { keyInBody, newcomerOf } from './usage.ts'

export const tokens: readonly Endpoint[] = [
  endpoint({
    operation: 'balances.track_tokens',
    shape: 'track',
    input: trackTokensInput,
    kind: 'write',
    bodyKey: keyInBody,
    run(context, input) {
      const { customer_id: customerId, entity_id: entityId, feature_id: featureId, model_id: modelId } = input
      const { counts, timestamp, properties = {}, overage_behavior: behavior = 'cap' } = input
      const subject = { customerId, entityId }
      const act = () =>
        trackTokens(context, { ...subject, featureId, modelId, counts, properties, timestamp, behavior })
      // Who does not exist yet has no balance either, and so nothing that could say which feature is meant.
      return input.auto_create === true && featureId !== undefined
        ? withNewcomer(context, { ...subject, featureId }, newcomerOf(input), act)
        : act()
    },
    show: (answer, { entity_id }) => showTracked(answer, entity_id),
  }),
]
